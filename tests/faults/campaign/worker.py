"""The processes of the campaign: ``python -m tests.faults.campaign.worker ROLE``.

``worker`` is a Celery worker, ``alone`` one process with everything in it, ``web`` the web server
that an asking ERP calls, ``agent`` such an ERP, and ``office`` a person who carries files between
the pages and the ERP.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import django

from tests.faults.campaign.faulty import hasten, place, run_out_of_room, stall, take_away
from tests.faults.campaign.trouble import take_trouble

PAUSE = 0.2


def in_trouble(kind: str) -> bool:
    """Whether this kind of trouble shall happen now."""
    return take_trouble(Path(os.environ["FAULT_TROUBLE"]), kind)


def worker() -> None:
    """With the solo pool, so that the worker dies with its process."""
    from erpbridge.celery import app

    app.worker_main(["worker", "--pool=solo", "--loglevel=WARNING"])


def alone() -> None:
    """The one process of a small installation, without its pages; on SIGTERM it stops regularly."""
    from erpbridge.processes import embedded

    running = embedded.start()
    signal.sigwait([signal.SIGTERM])
    running.stop()


def web() -> None:
    """Serves the product's pages on a port of the campaign."""
    from django.core.servers.basehttp import run
    from django.core.wsgi import get_wsgi_application

    run("127.0.0.1", int(os.environ["FAULT_PORT"]), get_wsgi_application(), threading=True)


def agent() -> None:
    """Asks again and again, and carries the commands out."""
    from erp_integrations.adapters.simulator.agent import Agent, NotAnswered, over_http
    from tests.faults.campaign.erps import PASSWORD

    connection = the_connection()
    post = over_http(
        f"http://127.0.0.1:{os.environ['FAULT_PORT']}/erp/inbound/{connection.public_id}/"
    )

    class Troubled(Agent):
        """Slow, silent, or sending garbage, when the campaign has set it."""

        def work(self, asked: Mapping[str, Any]) -> dict[str, Any]:
            if in_trouble("timeout_before"):
                return {}
            if in_trouble("slow"):
                time.sleep(3)
            done = super().work(asked)
            return {} if in_trouble("timeout_after") else done

    def posting(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        return post(headers, b"<html>Bad Gateway" if in_trouble("garbage") else body)

    asking = Troubled(the_ledger(connection), PASSWORD, posting)
    while True:
        if in_trouble("down"):
            time.sleep(1)
        with suppress(NotAnswered):
            asking.run()
        time.sleep(PAUSE)


def office() -> None:
    """Makes files, imports them, and brings the results back; repeats what was lost."""
    from django.db import Error
    from django.db import connections as databases

    connection = the_connection()
    while True:
        try:
            carry_files(connection, the_ledger(connection))
        except Error:
            databases.close_all()
        time.sleep(PAUSE)


def carry_files(connection: Any, ledger: Any) -> None:
    """Import and confirm the unconfirmed files, and make the next one."""
    from erp_integrations.adapters.simulator.files import import_into
    from erp_integrations.export.delivery import file as file_delivery
    from erp_integrations.models import ExportFile
    from erpbridge.access.models import User

    person = User.objects.get(pk=int(os.environ["FAULT_PERSON"]))
    for file in ExportFile.objects.filter(connection=connection, confirmed_at=None):
        result = import_into(ledger, bytes(file.content))
        if in_trouble("timeout_after"):
            continue
        answer = b"<html>Bad Gateway" if in_trouble("garbage") else result
        try:
            file_delivery.confirm(file, ExportFile.Verdict.RESULT, by=person, result=answer)
        except file_delivery.NotDone:
            continue
    if file_delivery.waiting(connection, "vendor").exists():
        try:
            file_delivery.make(connection, "vendor", by=person)
        except file_delivery.NotDone:
            return


def the_connection() -> Any:
    """The connection that this process serves."""
    from erp_integrations.models import Connection

    return Connection.objects.get(pk=int(os.environ["FAULT_CONNECTION"]))


def the_ledger(connection: Any) -> Any:
    """The ledger of the simulator."""
    from tests.erp_integrations import steps

    return steps.ledger_of(connection)


ROLES: Mapping[str, Callable[[], None]] = {
    "worker": worker,
    "alone": alone,
    "web": web,
    "agent": agent,
    "office": office,
}


def sleep_under_a_moved_clock() -> None:
    """From Python 3.11 on, ``time.sleep`` fails with EINVAL under libfaketime 0.9.10, which
    mistakes the monotonic clock that it is told to leave alone.
    """

    def sleep(seconds: float) -> None:
        select.select([], [], [], seconds)

    time.sleep = sleep


def main(role: str) -> None:
    """Run as this role."""
    if "FAKETIME_DONT_FAKE_MONOTONIC" in os.environ:
        # Before libraries import the name.
        sleep_under_a_moved_clock()
    django.setup()
    if role == "alone":
        # Before there are threads, which would otherwise receive the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    hasten()
    if os.environ.get("FAULT_DISK"):
        run_out_of_room()
    place(os.environ.get("FAULT_POINT", ""), fetches=role in ("agent", "office"))
    stall(os.environ.get("FAULT_STALL", ""))
    take_away(os.environ.get("FAULT_WITHOUT", ""))
    ROLES[role]()


if __name__ == "__main__":
    main(sys.argv[1])
