import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import redis
import yaml
from cryptography.fernet import Fernet
from django.conf import settings

from tests.programs import ROOT, redis_url, running, stop, wait_for
from tests.servers import create_database, free_port

COMPOSE = ROOT / "docker-compose.yml"
SERVICES = yaml.safe_load(COMPOSE.read_text())["services"]
SECRETS = {"ERPBRIDGE_SECRET_KEY", "ERPBRIDGE_FIELD_KEYS", "POSTGRES_PASSWORD"}


def test_compose_file_follows_the_compose_schema():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, COMPOSE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_file_has_no_default_for_a_secret():
    text = COMPOSE.read_text()
    for secret in SECRETS:
        assert f"${{{secret}:-" not in text
        assert f"${{{secret}}}" not in text


def test_image_and_compose_start_the_web_server_alike():
    command = (ROOT / "Dockerfile").read_text().rpartition("CMD ")[2].replace("\\\n", "")
    assert json.loads(command) == SERVICES["web"]["command"]


def test_every_process_of_ours_waits_for_the_migrations():
    for name in ("web", "worker", "beat"):
        wanted = SERVICES[name]["depends_on"]["migrate"]["condition"]
        assert wanted == "service_completed_successfully"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """The compose file's environment, with hosts and folders of the test run; migrated."""
    folder = tmp_path_factory.mktemp("installation")
    (folder / "secret_key").write_text("not-a-secret-" * 5)
    (folder / "field_keys").write_text(Fernet.generate_key().decode())
    server = settings.DATABASES["default"]
    place = f"postgresql://{server['USER']}@{server['HOST']}:{server['PORT']}"
    database = f"composed_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    create_database(f"{place}/postgres", database)
    ours = {
        "ERPBRIDGE_SECRET_KEY_FILE": str(folder / "secret_key"),
        "ERPBRIDGE_FIELD_KEYS_FILE": str(folder / "field_keys"),
        "ERPBRIDGE_METRICS_TOKEN": "",
        "ERPBRIDGE_LOG_FORMAT": "json",
        "ERPBRIDGE_ALLOWED_HOSTS": "erp.example.com",
        "ERPBRIDGE_TRUSTED_ORIGINS": "",
        "ERPBRIDGE_BEHIND_PROXY": "yes",
        "ERPBRIDGE_TRUSTED_PROXIES": "127.0.0.1",
        "ERPBRIDGE_FAILURES_PER_ADDRESS": "50",
        "ERPBRIDGE_ALLOWED_PRIVATE_HOSTS": "",
        "ERPBRIDGE_ADAPTERS": "simulator",
        "ERPBRIDGE_DATA_DIR": str(folder / "data"),
        "DATABASE_URL": f"{place}/{database}",
        "REDIS_URL": f"{redis_url().rpartition('/')[0]}/60",
    }
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**SERVICES["web"]["environment"], **ours, "PATH": programs}
    migrated = subprocess.run(
        command("migrate"), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert migrated.returncode == 0, migrated.stderr
    return environment


def command(service: str, old: str = "", new: str = "") -> list[str]:
    return [part.replace(old, new) if old else part for part in SERVICES[service]["command"]]


@pytest.mark.shared
def test_the_web_server_becomes_healthy_and_stops_cleanly(installation):
    port = free_port()
    arguments = command("web", "0.0.0.0:8000", f"127.0.0.1:{port}")
    with running(arguments, installation) as web:
        check = [sys.executable, ROOT / "bin/healthcheck", str(port)]
        wait_for(
            lambda: (
                subprocess.run(check, env=installation, capture_output=True, check=False).returncode
                == 0
            ),
            program=web,
        )
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/livez", headers={"Host": "erp.example.com"}
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer) == {"status": "alive"}
        assert stop(web) == 0


@pytest.mark.shared
def test_the_worker_becomes_healthy_and_stops_cleanly(installation):
    check = SERVICES["worker"]["healthcheck"]["test"][1].replace("$$", "$")
    env = {**installation, "HOSTNAME": socket.gethostname()}
    with running(command("worker"), installation) as worker:
        wait_for(
            lambda: (
                subprocess.run(
                    check, shell=True, cwd=ROOT, env=env, capture_output=True, check=False
                ).returncode
                == 0
            ),
            program=worker,
            seconds=60,
        )
        assert stop(worker) == 0


@pytest.mark.shared
def test_beat_sends_a_tick_and_stops_cleanly(installation, tmp_path):
    broker = redis.Redis.from_url(installation["REDIS_URL"])
    broker.flushdb()
    with running(command("beat", "/tmp", str(tmp_path)), installation) as beat:
        (message,) = wait_for(lambda: broker.lrange("celery", 0, 0), program=beat, seconds=40)
        assert json.loads(message)["headers"]["task"] == "erp_integrations.export.tasks.tick"
        assert stop(beat) == 0
    broker.close()
