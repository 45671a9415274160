"""The programs of the product as processes of their own, on the benchmark's database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import requests
from django.conf import settings
from django.db import connection as db
from django.middleware.csrf import get_token
from django.test import Client, RequestFactory

from erpbridge.access.policy import Access
from erpbridge.celery import app
from tests.programs import Running, database_url, environment, running, wait_for
from tests.servers import free_port

# Seconds; a machine that does much else takes its time.
TO_COME_UP = 90


@contextmanager
def workers(processes: int = 2) -> Iterator[Running]:
    """A worker of so many processes on a broker in which no old message is left."""
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    command = [sys.executable, "-m", "celery", "-A", "bench.noop", "worker", "--loglevel=ERROR"]
    with running([*command, f"--concurrency={processes}"], _environment()) as program:
        wait_for(lambda: app.control.ping(timeout=0.3), program=program, seconds=TO_COME_UP)
        yield program


@contextmanager
def serving() -> Iterator[tuple[str, Running]]:
    """The address of ``manage.py serve``, which exports too."""
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with running(command, _environment()) as program:
        yield _up(f"http://127.0.0.1:{port}", program), program


@contextmanager
def web(*, processes: int = 1) -> Iterator[tuple[str, Running]]:
    """The address of the web server of a shared installation; several processes share memory."""
    place = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "gunicorn", "erpbridge.wsgi", "--log-level=warning"]
    command += [f"--bind={place}", f"--workers={processes}"]
    if processes > 1:
        command.append("--config=python:erpbridge.processes.gunicorn_conf")
    else:
        command += ["--worker-class=gthread", "--threads=8"]
    with running([*command, "--no-control-socket"], _environment()) as program:
        yield _up(f"http://{place}", program), program


def signed_in(access: Access) -> requests.Session:
    """A browser of this person, and the token that its clicks carry."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(access.user, backend="django.contrib.auth.backends.ModelBackend")
    request = RequestFactory().get("/")
    get_token(request)
    session = requests.Session()
    session.cookies[settings.SESSION_COOKIE_NAME] = client.cookies["sessionid"].value
    session.cookies[settings.CSRF_COOKIE_NAME] = request.META["CSRF_COOKIE"]
    return session


def _environment() -> dict[str, str]:
    return environment(DATABASE_URL=database_url(db.settings_dict))


def _up(address: str, program: Running) -> str:
    def answers() -> bool:
        try:
            return requests.get(f"{address}/livez", timeout=5).ok
        except requests.RequestException:
            return False

    wait_for(answers, program=program, seconds=TO_COME_UP)
    return address
