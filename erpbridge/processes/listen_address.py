"""The address of ``manage.py serve``, for commands that print a URL."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings

USUAL = "http://127.0.0.1:8000"


def of(host: str, port: int) -> str:
    """Return the URL for a host and port; a wildcard address becomes the loopback address."""
    with suppress(ValueError):
        if (wildcard := ip_address(host)).is_unspecified:
            host = "127.0.0.1" if wildcard.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def keep(address: str) -> None:
    """Store the address at which this installation is served."""
    _file().write_text(address, encoding="ascii")


def forget() -> None:
    """Delete the stored address."""
    _file().unlink(missing_ok=True)


def read() -> str:
    """Return the address at which this installation is served, or the default while it is not."""
    try:
        return _file().read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return USUAL


def _file() -> Path:
    return Path(settings.DATA_DIR) / "address"
