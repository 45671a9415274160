import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import psutil
import pytest

from tests.programs import ROOT, environment, running, stop, wait_for
from tests.servers import free_port


@pytest.fixture
def embedded_environment(tmp_path):
    """A start without servers of any kind, whatever the run itself is on."""
    env = environment(ERPBRIDGE_DATA_DIR=str(tmp_path / "var"), ERPBRIDGE_LOG_LEVEL="WARNING")
    for name in ("DATABASE_URL", "REDIS_URL", "ERPBRIDGE_MODE", "ERPBRIDGE_SECRET_KEY"):
        env.pop(name, None)
    return env


def serve(*arguments):
    return [sys.executable, "manage.py", "serve", *arguments]


def answer(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as response:
            return response.read().decode()
    except OSError:
        return ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_serving_ends_with_every_process_and_code_zero(embedded_environment, how):
    port = free_port()
    with running(serve("--port", str(port)), embedded_environment) as server:
        ready = json.loads(wait_for(lambda: answer(port, "readyz"), program=server))
        assert ready["status"] == "ready"
        processes = psutil.Process(server.pid).children(recursive=True)
        assert processes
        assert stop(server, how, seconds=10) == 0
        _, alive = psutil.wait_procs(processes, timeout=3)
        assert alive == []
        assert "Traceback" not in server.said()


def test_nobody_else_may_read_what_is_written(embedded_environment, tmp_path):
    port = free_port()
    with running(serve("--demo", "--port", str(port)), embedded_environment) as server:
        wait_for(lambda: answer(port, "readyz"), program=server)
        written = [tmp_path / "var", *(tmp_path / "var").rglob("*")]
        names = {path.name for path in written}
        assert {"erpbridge.sqlite3", "erpbridge.sqlite3-wal", "secret-key", "adapters"} <= names
        # What is in a folder that nobody may enter cannot be read.
        assert [path.name for path in written if path.stat().st_mode & 0o077] == []


def test_a_taken_port_is_said_in_one_sentence(embedded_environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            serve("--port", port),
            cwd=ROOT,
            env=embedded_environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert re.search(
        rf"Cannot listen on 127.0.0.1 port {port}: Address already in use", done.stderr
    )


def test_demo_is_refused_in_production(embedded_environment):
    production = {
        "ERPBRIDGE_MODE": "production",
        "ERPBRIDGE_SECRET_KEY": "x1" * 30,
        "ERPBRIDGE_FIELD_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "ERPBRIDGE_ALLOWED_HOSTS": "erp.example.com",
    }
    done = subprocess.run(
        serve("--demo", "--port", str(free_port())),
        cwd=ROOT,
        env=embedded_environment | production,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "refused in production" in done.stderr


def test_demo_starts_twice_with_one_secret_key_and_says_what_it_is(embedded_environment, tmp_path):
    keys, port = [], free_port()
    for _ in range(2):
        with running(serve("--demo", "--port", str(port)), embedded_environment) as server:
            wait_for(lambda: answer(port, "livez"), program=server, seconds=120)
            wait_for(lambda: "is ready at" in server.said(), program=server)
            assert "DEMO MODE" in server.said()
            assert stop(server, signal.SIGINT, seconds=10) == 0
        key = tmp_path / "var" / "secret-key"
        assert key.stat().st_mode & 0o777 == 0o600
        keys.append(key.read_text())
    assert keys[0] == keys[1]
