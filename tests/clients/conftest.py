"""Published clients as black boxes: each in a process of its own, over HTTP."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from erp_integrations.models import Connection
from erpbridge.access.models import Account, Membership
from tests.erp_integrations import steps

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INSTALLED = ROOT / "var" / "clients"
LONGEST = 120


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    """Install the locked clients, unless they are installed."""
    subprocess.run([ROOT / "bin" / "clients"], check=True, timeout=600)


def api_client(**options: str) -> dict[str, str]:
    """What ``manage.py api_client`` prints."""
    said = io.StringIO()
    call_command("api_client", **options, stdout=said)
    return dict(word.split("=", 1) for word in shlex.split(said.getvalue()))


@pytest.fixture
def credentials(live_server) -> dict[str, str]:
    """A service account of a fresh account, with nothing connected."""
    return api_client(base_url=live_server.url)


@pytest.fixture
def approver(live_server, credentials) -> dict[str, str]:
    """A second service account of the account, since nobody may accept what they have sent."""
    return api_client(
        base_url=live_server.url,
        company=credentials["COMPANY_ID"],
        project=credentials["PROJECT_ID"],
    )


@pytest.fixture
def connection(credentials) -> Connection:
    """An ERP that the account is connected to later."""
    account = Account.objects.get(pk=credentials["COMPANY_ID"])
    admin = Membership.objects.people().get(account=account)
    return steps.connect(account, by=admin.user)


@pytest.fixture
def drive(tmp_path) -> Callable[..., Any]:
    """Run a client's program and return what it printed."""

    def run(command: list[str], environment: dict[str, str]) -> Any:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        done = subprocess.run(
            command,
            env=kept | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture
def javascript(drive, credentials) -> Callable[..., Any]:
    """Procore's own JavaScript SDK."""

    def run(step: str, **more: str) -> Any:
        modules = {"NODE_PATH": str(INSTALLED / "js" / "node_modules"), "STEP": step}
        return drive(["node", str(HERE / "js" / "drive.js")], credentials | modules | more)

    return run


@pytest.fixture
def python(drive, credentials) -> Callable[..., Any]:
    """A client of the Python package registry."""

    def run(program: str, step: str, **more: str) -> Any:
        named = {
            "PROCORE_CLIENT_ID": credentials["CLIENT_ID"],
            "PROCORE_CLIENT_SECRET": credentials["CLIENT_SECRET"],
            "PROCORE_LOGIN_URL": credentials["BASE_URL"],
            "PROCORE_API_BASE": credentials["BASE_URL"],
            "PROCORE_COMPANY_ID": credentials["COMPANY_ID"],
            "PROCORE_AUTH_MODE": "client_credentials",
            "PROCORE_TOKEN_STORE_BACKEND": "memory",
            "PYTHONPATH": str(INSTALLED / "python"),
            "STEP": step,
        }
        script = str(HERE / "python" / f"drive_{program}.py")
        return drive([sys.executable, script], credentials | named | more)

    return run
