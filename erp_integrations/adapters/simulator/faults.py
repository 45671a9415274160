"""Faults of the simulator: ways in which it can be made to fail.

A fault is set in the connection's settings, or with :func:`set_fault`, by which a test or an
operator lets the next calls to a running ledger fail without changing the connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from erp_integrations.adapters.base import Command, Effect, ErpError, ErrorClass
from erp_integrations.adapters.simulator.ledger import Ledger
from erp_integrations.adapters.simulator.tables import COST_CODE


class Fault(StrEnum):
    """Kind of a simulated failure."""

    NONE = "none"
    REFUSE = "refuse"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    THROTTLE = "throttle"
    DOWN = "down"
    GARBAGE = "garbage"
    LOGIN = "login"
    LATE = "late"


FAULT_LABELS = {
    Fault.NONE: "None",
    Fault.REFUSE: "Refuse the record",
    Fault.TIMEOUT_BEFORE: "Time out before writing",
    Fault.TIMEOUT_AFTER: "Time out after writing",
    Fault.THROTTLE: "Refuse: too many requests",
    Fault.DOWN: "Refuse connections",
    Fault.GARBAGE: "Return an unreadable answer",
    Fault.LOGIN: "Refuse the login",
    Fault.LATE: "Time out, then write later",
}

# Seconds after a call until a LATE write is applied.
LATE_SECONDS = 3.0
NO_ANSWER = ErpError(
    ErrorClass.TRANSIENT, Effect.UNCERTAIN, "The simulator did not answer in time."
)
CONNECTION_REFUSED = ErpError(
    ErrorClass.TRANSIENT, Effect.NOT_APPLIED, "Connection to the simulator refused."
)
CODE_CLOSED = ErpError(
    ErrorClass.INVALID,
    Effect.NOT_APPLIED,
    "This cost code is closed for posting.",
    erp_code="E2002",
    advice="Find out why it is closed; then retry, or reject the cost code.",
)
# Error of each fault that prevents a write; TIMEOUT_AFTER and LATE do not.
ERRORS = {
    Fault.REFUSE: ErpError(
        ErrorClass.INVALID,
        Effect.NOT_APPLIED,
        "This vendor is on the list of vendors not to be paid.",
        erp_code="E2001",
        advice="Find out why it must not be paid; then retry, or reject the company.",
    ),
    Fault.TIMEOUT_BEFORE: NO_ANSWER,
    Fault.THROTTLE: ErpError(
        ErrorClass.THROTTLED,
        Effect.NOT_APPLIED,
        "Too many requests; try again in 2 seconds.",
        erp_code="429",
        retry_after=2.0,
    ),
    Fault.DOWN: CONNECTION_REFUSED,
    # An answer that cannot be read does not say whether the record was written.
    Fault.GARBAGE: ErpError(
        ErrorClass.BUG,
        Effect.UNCERTAIN,
        "The answer cannot be read: <html><body><h1>502 Bad Gateway</h1></body></html>",
    ),
    Fault.LOGIN: ErpError(
        ErrorClass.AUTH_EXPIRED,
        Effect.NOT_APPLIED,
        "The simulator does not accept the login.",
        erp_code="401",
        advice="Enter the login again in the settings of the connection.",
    ),
}


def error_of(fault: Fault, entity: str) -> ErpError | None:
    """The error of a record under a fault; None if its message is carried out."""
    if fault is Fault.REFUSE and entity == COST_CODE:
        return CODE_CLOSED
    return ERRORS.get(fault)


@dataclass(frozen=True)
class FaultPlan:
    """The fault of the settings: affects every n-th call, and only records that ``match``."""

    kind: Fault = Fault.NONE
    every: int = 1
    match: str = ""

    @property
    def shuts_out(self) -> bool:
        """Whether the fault affects all calls, including lookups."""
        always = self.every == 1 and not self.match
        return always and self.kind in (Fault.DOWN, Fault.LOGIN)


@dataclass(frozen=True)
class Strike:
    """The fault of one call, and the indexes of the commands that it affects."""

    kind: Fault = Fault.NONE
    places: frozenset[int] = frozenset()

    def on(self, place: int) -> Fault:
        """The fault of the command at this index."""
        return self.kind if place in self.places else Fault.NONE


def set_fault(folder: Path, ledger: str, kind: str, *, times: int = 1, match: str = "") -> None:
    """Let the next ``times`` submit calls with a matching record fail, in any process.

    Replaces a fault set before, and has priority over the fault of the settings.

    :raises LedgerDown: if the ledger file cannot be used.
    """
    with Ledger(folder, ledger).transaction() as db:
        db.execute("DELETE FROM fault")
        db.execute("INSERT INTO fault VALUES (?, ?, ?)", (Fault(kind).value, times, match))


def clear_fault(folder: Path, ledger: str) -> None:
    """Remove the fault of :func:`set_fault`.

    :raises LedgerDown: if the ledger file cannot be used.
    """
    with Ledger(folder, ledger).transaction() as db:
        db.execute("DELETE FROM fault")


def strike(ledger: Ledger, plan: FaultPlan, commands: Sequence[Command]) -> Strike:
    """The fault of this call; calls are counted in the ledger, over all processes.

    :raises LedgerDown: if the ledger file cannot be used.
    """
    with ledger.transaction() as db:
        row = db.execute("SELECT kind, match FROM fault WHERE times > 0").fetchone()
        if row is not None and (places := _places(row["match"], commands)):
            db.execute("UPDATE fault SET times = times - 1")
            return Strike(Fault(row["kind"]), places)
        if plan.kind is Fault.NONE or not (places := _places(plan.match, commands)):
            return Strike()
        number = int(db.execute("SELECT coalesce(max(number), 0) FROM faulty_call").fetchone()[0])
        db.execute("DELETE FROM faulty_call")
        db.execute("INSERT INTO faulty_call VALUES (?)", (number + 1,))
        return Strike(plan.kind, places) if (number + 1) % plan.every == 0 else Strike()


def _places(match: str, commands: Sequence[Command]) -> frozenset[int]:
    return frozenset(place for place, command in enumerate(commands) if _matches(match, command))


def _matches(match: str, command: Command) -> bool:
    text = match.strip().casefold()
    payload, accepted = command.payload, command.acceptance
    ids = [command.key, accepted.get("vendor_id", ""), payload.get("full_code", "")]
    names = (payload.get("name", ""), payload.get("description", ""))
    in_name = any(text in str(name).casefold() for name in names)
    return in_name or text in {str(value).casefold() for value in ids}
