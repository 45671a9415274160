"""Why the items of a connection wait and until when, in the same words on all pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import models
from django.db.models import Model, QuerySet

from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.clock import Moment, moment
from erp_integrations.connections import adapter_loading, secrets
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection, Halt, Item, Request
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import locked
from erp_integrations.models.states import OPEN, State
from erpbridge.ui.times import format_time


class Cause(models.TextChoices):
    """Why items wait, with the label of the badge; the most severe first."""

    UNUSABLE = "unusable", "Cannot be used"
    PAUSED = "paused", "Paused"
    LOGIN = "login", "Paused: login refused"
    SETUP = "setup", "Paused: wrong settings"
    OUTAGE = "outage", "Backing off after failures"
    WRONG_PASSWORDS = "wrong_passwords", "Not answering: wrong passwords"
    TEST_FAILED = "test_failed", "Not working: the test failed"
    HELD_BACK = "held_back", "Waiting for the ERP's rate limit"
    RETRY = "retry", "Will be retried"


HEADINGS = {
    Cause.UNUSABLE: "The ERP connection cannot be used",
    Cause.PAUSED: "Exporting is paused",
    Cause.LOGIN: "The ERP refuses the login",
    Cause.SETUP: "The ERP cannot be called",
    Cause.OUTAGE: "The ERP does not answer",
    Cause.WRONG_PASSWORDS: "Calls from the ERP are blocked",
    Cause.TEST_FAILED: "The ERP connection is not working",
    Cause.HELD_BACK: "The ERP's rate limit is reached",
    Cause.RETRY: "It will be retried",
}
# What a user has to do after the engine has paused a connection.
NEXT_STEPS: Mapping[str, str] = {
    Halt.LOGIN: "Accepted items wait. The login is checked again automatically.",
    Halt.SETUP: "An ERP administrator has to correct the settings of the connection, or the "
    "operator has to allow the host in ERPBRIDGE_ALLOWED_PRIVATE_HOSTS. Accepted items wait and "
    "are sent automatically once the ERP can be called.",
}
# Completes the sentence "It was accepted and waits: ".
SHORT = {
    Cause.UNUSABLE: "the connection cannot be used",
    Cause.PAUSED: "the connection is paused",
    Cause.LOGIN: "the ERP refuses the login",
    Cause.SETUP: "the ERP cannot be called with the current settings",
    Cause.OUTAGE: "the ERP does not answer",
    Cause.WRONG_PASSWORDS: "the ERP called with a wrong password too often",
    Cause.TEST_FAILED: "the last test of the connection failed",
    Cause.HELD_BACK: "the ERP's rate limit is reached",
    Cause.RETRY: "the last attempt failed",
}


@dataclass(frozen=True)
class Wait:
    """One reason to wait; ``next_try_at`` is None if a user has to act first, or if unknown."""

    cause: Cause
    why: str
    next_try_at: datetime | None = None

    @property
    def heading(self) -> str:
        """Heading of a banner."""
        return HEADINGS[self.cause]

    @property
    def short(self) -> str:
        """A few words for the end of a sentence."""
        return SHORT[self.cause]

    @property
    def until(self) -> str:
        """The time of the next attempt as a sentence; empty if unknown."""
        return f"Next attempt: {format_time(self.next_try_at)}." if self.next_try_at else ""

    @property
    def text(self) -> str:
        """The reason, what ends it, and the next attempt."""
        return f"{self.why} {self.until}".strip()


def of_connection(connection: Connection, *, at: Moment | None = None) -> Wait | None:
    """The most severe reason why the items of a connection wait; None if they do not.

    :param at: the current readings of the clocks, if the caller has them already.
    """
    at = at or moment()
    return next((wait for look in LOOKS if (wait := look(connection, at))), None)


def _unusable(connection: Connection, _at: Moment) -> Wait | None:
    why = why_unusable(connection)
    return Wait(Cause.UNUSABLE, f"{connection} cannot be used: {_sentence(why)}") if why else None


def _pause(connection: Connection, at: Moment) -> Wait | None:
    if connection.paused_at is None:
        return None
    reason = _sentence(connection.pause_reason)
    if connection.halted_for:
        why = f"{reason} {NEXT_STEPS[connection.halted_for]}"
        return Wait(Cause(connection.halted_for), why, at.ahead(connection.breaker_until))
    why = (
        f"{connection} has been paused since {format_time(connection.paused_at)}: {reason} "
        "Accepted items wait until an ERP administrator resumes it."
    )
    return Wait(Cause.PAUSED, why)


def _outage(connection: Connection, at: Moment) -> Wait | None:
    until = at.ahead(connection.breaker_until)
    why = (
        f"{connection} does not answer: {connection.breaker_failures} calls failed in a row, so it "
        "is not called for a while. Accepted items wait and are sent automatically."
    )
    return Wait(Cause.OUTAGE, why, until) if until else None


def _wrong_passwords(connection: Connection, at: Moment) -> Wait | None:
    until = at.ahead(connection.inbound_locked_until)
    why = (
        "The ERP, or somebody else, called several times with a wrong password, so its "
        "calls are refused for a while. Correct the password in the ERP, or save a new one in the "
        "settings of the connection, which ends the wait."
    )
    return Wait(Cause.WRONG_PASSWORDS, why, until) if until else None


def _failed_test(connection: Connection, _at: Moment) -> Wait | None:
    problems = connection.test_result.get("problems")
    if not problems:
        return None
    tested = f" of {format_time(connection.tested_at)}" if connection.tested_at else ""
    why = (
        f"The test of {connection}{tested} failed: {' '.join(map(_sentence, problems))} Nothing "
        "new can be sent until an ERP administrator tests it again. Accepted items are still "
        "exported."
    )
    return Wait(Cause.TEST_FAILED, why)


def _held_back(connection: Connection, at: Moment) -> Wait | None:
    until = at.ahead(connection.next_slot_at)
    why = f"{connection} takes no more for now. The remaining items are sent automatically."
    return Wait(Cause.HELD_BACK, why, until) if until else None


# The most severe first.
LOOKS = (_unusable, _pause, _outage, _wrong_passwords, _failed_test, _held_back)


def why_unusable(connection: Connection) -> str | None:
    """Why nothing can be exported (adapter or secrets not usable); None if it can."""
    try:
        adapter_loading.manifest_of(connection)
    except AdapterUnavailable as error:
        return str(error)
    return secrets.problem(connection)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def of_items(items: Iterable[Item]) -> dict[int, Wait]:
    """Item id -> why it waits, for the open items that do.

    Left out are items that wait for their parent, and items that are being sent.
    """
    waiting = [
        item
        for item in items
        if item.state in OPEN and item.state != State.SENDING and item.waits_for is None
    ]
    if not waiting:
        return {}
    at = moment()
    # The reason of a connection takes queries, so it is determined once per connection.
    by_connection = {item.connection_id: item.connection for item in waiting}
    of_connections = {
        pk: of_connection(connection, at=at) for pk, connection in by_connection.items()
    }
    waits = {item.pk: _of_item(item, of_connections[item.connection_id], at) for item in waiting}
    return {pk: wait for pk, wait in waits.items() if wait is not None}


def of_item(item: Item) -> Wait | None:
    """Why one item waits; None if it does not."""
    return of_items([item]).get(item.pk)


def of_record(entity: str, account_id: int, record_id: int) -> Wait | None:
    """Why the open item of a record waits; None if it does not."""
    items = Item.objects.filter(account=account_id, entity=entity, record_id=record_id)
    item = items.open().select_related("connection").first()
    return of_item(item) if item else None


def of_list(entity: str, account_id: int, rows: QuerySet[Model]) -> Wait | None:
    """Why the open items of some records wait; None if there are none."""
    connection = connection_services.active(account_id, entity)
    if connection is None or not rows.filter(locked()).exists():
        return None
    return of_connection(connection)


def of_click(click: Request) -> Wait | None:
    """Why the items of a bulk request still wait; None if none does."""
    # An accept moves the items of the bulk request; a send creates them.
    accepted = click.verb in (Request.Verb.ACCEPT, Request.Verb.RETRY)
    moved: ItemQuerySet = click.items.all() if accepted else click.sent_items.all()
    waiting = moved.open().filter(waits_for=None).select_related("connection")
    first = waiting.order_by("pk").first()
    return of_connection(first.connection) if first else None


def _of_item(item: Item, wait: Wait | None, at: Moment) -> Wait | None:
    """The connection's reason, but not before the item's own back-off; else the item's reason."""
    own = item.not_before if item.state == State.QUEUED else item.check_after
    # A failed test does not stop exporting, so the item's own reason is the more precise one.
    if wait is not None and wait.cause != Cause.TEST_FAILED:
        if wait.next_try_at is None or own is None:
            return wait
        return replace(wait, next_try_at=max(wait.next_try_at, at.on_the_wall(own)))
    if item.state != State.QUEUED or not item.error_text:
        return wait
    why = f"{_tried(item)}The ERP said: {_sentence(item.error_text)} It is retried automatically."
    if wait is not None:
        return replace(wait, why=f"{wait.why} {why}", next_try_at=at.ahead(own))
    return Wait(Cause.RETRY, why, at.ahead(own))


def _tried(item: Item) -> str:
    times = "once" if item.attempts == 1 else f"{item.attempts} times"
    return f"Tried {times}. " if item.attempts else ""
