"""Steps that many tests share: send, accept, export, and let time pass."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from directory.models import Company
from erp_integrations.adapters.base import Manifest
from erp_integrations.adapters.simulator.faults import set_fault
from erp_integrations.adapters.simulator.ledger import Ledger
from erp_integrations.clock import at_least
from erp_integrations.connections import services as connection_services
from erp_integrations.connections import settings as connection_settings
from erp_integrations.connections.adapter_loading import adapter_of
from erp_integrations.connections.secrets import seal
from erp_integrations.export import engine, settle
from erp_integrations.export.calls import in_turn
from erp_integrations.models import Attempt, Connection, Item, Link, Ticker
from erp_integrations.sendable import Done, send
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.links import unlink as unlink_services
from erp_integrations.workflow.payloads.commands import Claim
from erpbridge.access.models import Account, User
from erpbridge.access.policy import Access
from erpbridge.clock.models import Clock
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import work
from erpbridge.jobs.wakeups import LATER

# By the wall clock, for people.
SHOWN = {Item: ("decided_at",), Attempt: ("opened_at", "answered_at"), Ticker: ("ran_at",)}


def connect(account: Account, *, by: User, latency_ms: int = 0) -> Connection:
    """A tested and refreshed connection in use, to a ledger of its own."""
    connection = connection_settings.create(
        account=account,
        name="Ledger",
        adapter="simulator",
        config={"latency_ms": latency_ms, "ledger": f"test-{uuid.uuid4().hex}"},
        by=by,
    )
    connection_services.activate(connection, by=by)
    assert connection_services.test(connection, by=by)
    assert connection_services.refresh(connection, by=by)
    return connection


def let_pass(seconds: float) -> None:
    """Let so many seconds pass, by the measured clock too."""
    Clock.objects.update(reading=at_least(seconds))
    for model, columns in SHOWN.items():
        for row in model.objects.all():
            for column in columns:
                value = getattr(row, column)
                if value is not None:
                    setattr(row, column, value - timedelta(seconds=seconds))
            row.save(update_fields=columns)


def ledger_of(connection: Connection) -> Ledger:
    """The ledger of the simulated ERP, read directly."""
    return Ledger(adapter_of(connection).io.folder, connection.config["ledger"])


def break_erp(connection: Connection, kind: str, *, times: int = 1, match: str = "") -> None:
    """Let the next calls of the ERP fail."""
    folder = adapter_of(connection).io.folder
    set_fault(folder, connection.config["ledger"], kind, times=times, match=match)


def change_config(connection: Connection, **config: Any) -> None:
    """Change the connection's settings directly, without its page."""
    connection.config = {**connection.config, **config}
    connection.save(update_fields=["config"])


def keep_secrets(connection: Connection, **secrets: str) -> None:
    """Store secret settings, encrypted as the page does."""
    sealed = {name: seal(value) for name, value in secrets.items()}
    Connection.objects.filter(pk=connection.pk).update(secrets=sealed)
    connection.refresh_from_db()


def send_all(companies: Sequence[Company], access: Access) -> list[Item]:
    """The items of companies that can all be sent."""
    ids = [company.pk for company in companies]
    assert send("vendor", ids, access=access).refused == ()
    return list(Item.objects.filter(entity="vendor", record_id__in=ids).open().order_by("pk"))


def decide(items: Iterable[Item], access: Access, **values: str) -> Done:
    """Accept with a proposal per row, as the bulk page does."""
    rows = list(items)
    accept_services.proposals_for(rows)
    decisions = [
        accept_services.Decision(
            item.pk, item.digest, {**item.acceptance, "vendor_type": "SUB", **values}
        )
        for item in rows
    ]
    return accept_services.accept(decisions, entity="vendor", access=access)


def retry(item: Item, access: Access, **values: str) -> Done:
    """Retry a failed item as it was accepted, or with other values."""
    given = {**item.acceptance, **values} if values else {}
    decisions = [accept_services.Decision(item.pk, item.digest, given)]
    return accept_services.retry(decisions, entity="vendor", access=access)


def export(connection: Connection) -> None:
    """What a worker does when it is woken up."""
    engine.drain(connection.pk)


def claim(connection: Connection, manifest: Manifest) -> list[Claim]:
    """Claim what is due, and store the attempts, as just before it is sent."""
    claims = engine.claim(connection, manifest)
    engine.write_ahead(claims)
    return claims


def look(
    adapter: Any, manifest: Manifest, claims: Sequence[Claim], *, since: float
) -> list[settle.Answer]:
    """Look up what was claimed, as before it is sent; returns what must not be sent."""
    return in_turn(engine.look(adapter, manifest, claims, since=since), adapter)


def run(
    connection: Connection,
    adapter: Any,
    manifest: Manifest,
    claims: Sequence[Claim],
    *,
    since: float,
) -> None:
    """Look up, submit and settle what was claimed."""
    in_turn(engine.export(connection, adapter, manifest, claims, since=since), adapter)


def waking_later(woken: list[int]) -> Callable[..., None]:
    """In place of ``publish``, where only messages behind those of clicks are sent."""

    def publish(connection_id: int, *, priority: int) -> None:
        assert priority == LATER
        woken.append(connection_id)

    return publish


def run_jobs() -> None:
    """What a worker does with the background jobs that people have started."""
    for job in Job.objects.live():
        work(job.pk)


def unlink(link: Link, *, by: User, why: str = "By mistake") -> dict[int, str]:
    """End a link; returns the problems by record id."""
    account_id = link.connection.account_id
    return unlink_services.unlink(account_id, link.entity, [link.record_id], by=by, why=why)


def reasons(done: Done) -> list[str]:
    """Every message of every refused row."""
    return [problem.message for refusal in done.refused for problem in refusal.problems]


def update_item(company: Company, access: Access, name: str) -> Item:
    """A synced company that was renamed and sent again."""
    Company.objects.filter(pk=company.pk).update(name=name, revision=company.revision + 1)
    company.refresh_from_db()
    (item,) = send_all([company], access)
    return item
