"""Where ``manage.py serve`` listens, for commands that print an address to call."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings

USUAL = "http://127.0.0.1:8000"


def of(host: str, port: int) -> str:
    """The address of a host and port that are listened on; who listens everywhere is called on this
    machine.
    """
    with suppress(ValueError):
        if (everywhere := ip_address(host)).is_unspecified:
            host = "127.0.0.1" if everywhere.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def keep(address: str) -> None:
    """Note that this installation is served here."""
    _file().write_text(address, encoding="ascii")


def forget() -> None:
    """Note that it is not served any more."""
    _file().unlink(missing_ok=True)


def read() -> str:
    """Where this installation is served; the usual address while it is not."""
    try:
        return _file().read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return USUAL


def _file() -> Path:
    return Path(settings.DATA_DIR) / "address"
