"""Tryton's adapter: converts between the adapter contract and Tryton's REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from erp_integrations.adapters import tax_ids
from erp_integrations.adapters.base import (
    Adapter,
    AdapterError,
    Ambiguous,
    Choice,
    Command,
    Effect,
    ErpError,
    ErrorClass,
    Found,
    Health,
    Io,
    Manifest,
    Operation,
    Outcome,
    Page,
    Problem,
    Wire,
)
from erp_integrations.adapters.tryton.accounts import Accounts
from erp_integrations.adapters.tryton.check import check
from erp_integrations.adapters.tryton.manifest import (
    CALL_DEADLINE,
    COST_CODE,
    VENDOR,
    VENDOR_TYPE,
    manifest,
)
from erp_integrations.adapters.tryton.options import read_options
from erp_integrations.adapters.tryton.parties import CATEGORY, Parties
from erp_integrations.adapters.tryton.records import Records, text
from erp_integrations.adapters.tryton.refusals import error
from erp_integrations.adapters.tryton.rest import CALL_SECONDS, Rest

# Seconds: a command makes at most two slow calls, and is not begun with less time left.
TIME_FOR_ONE = 2 * CALL_SECONDS
# After these errors the rest of the batch is not sent, because it would fail too.
STOPPERS = frozenset(
    {
        ErrorClass.TRANSIENT,
        ErrorClass.THROTTLED,
        ErrorClass.AUTH_EXPIRED,
        ErrorClass.SETUP,
    }
)


class TrytonAdapter(Adapter):
    """Adapter of a Tryton 8.0 with the modules party and analytic_account."""

    api_version = 2

    def __init__(self, config: Mapping[str, object], secrets: Mapping[str, str], io: Io) -> None:
        super().__init__(config, secrets, io)
        self.options = read_options(config)
        key = str(secrets.get("key") or "").strip()
        self.problems = list(self.options.problems)
        # The key becomes an HTTP header, which takes printable ASCII only.
        if not (key.isascii() and key.isprintable() and key):
            self.problems.append("Key: enter the application key that Tryton gave out.")
            key = ""
        url, company = self.options.url, self.options.company
        self.rest = Rest(url, key=key, company=company, io=io)
        self.kinds: dict[str, Records] = {
            VENDOR: Parties(self.rest, self.options),
            COST_CODE: Accounts(self.rest, self.options),
        }

    @classmethod
    def manifest(cls, config: Mapping[str, object]) -> Manifest:
        """The manifest with the length limits and the code format of the settings."""
        return manifest(config)

    def check(self) -> Health:
        """Test the connection: modules, company, permissions and root account."""
        if self.problems:
            return Health(tuple(self.problems))
        return check(self.rest, self.options)

    def choice_kinds(self) -> Sequence[str]:
        """Party categories."""
        return (VENDOR_TYPE,)

    def choices(self, kind: str) -> Sequence[Choice]:
        """Tryton's active party categories.

        :raises AdapterError: for another list, or if the call to Tryton fails.
        """
        self._require_settings()
        if kind != VENDOR_TYPE:
            raise AdapterError(_unsupported(f"Tryton has no list called “{kind}”."))
        rows = self.rest.search(CATEGORY, [], ["rec_name"])
        return tuple(Choice(str(row["id"]), str(row["rec_name"])) for row in rows)

    def validate(self, command: Command) -> Sequence[Problem]:
        """Check the tax ID, which must be an EIN."""
        is_vendor = command.entity == VENDOR and command.operation is not Operation.DEACTIVATE
        return tax_ids.problems(command.payload, erp="Tryton") if is_vendor else ()

    def preview(self, command: Command) -> Wire:
        """The message of :meth:`submit`; for an update all values, not only the changed ones."""
        return self._kind(command.entity).preview(command)

    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """The record with this code, active or not.

        :raises AdapterError: if the call to Tryton fails.
        """
        return self.find_many(entity, [key])[0]

    def find_many(self, entity: str, keys: Sequence[str]) -> Sequence[Found | Ambiguous | None]:
        """The records with these codes, active or not, in one call.

        :raises AdapterError: if the call to Tryton fails.
        """
        self._require_settings()
        return self._kind(entity).find(keys)

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """The record with this ID, active or not.

        :raises AdapterError: if the call to Tryton fails.
        """
        self._require_settings()
        return self._kind(entity).fetch(erp_id)

    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Send the commands one by one; after an error of the connection the rest is not sent."""
        # A second less than the manifest declares, to return within the engine's deadline.
        with self.io.deadline.within(CALL_DEADLINE - 1):
            return self._in_turn(commands)

    def pull(self, entity: str, cursor: str = "", since: str = "") -> Page:
        """A page of a hundred records in order of their IDs; deletions are not told.

        :raises AdapterError: if the call to Tryton fails.
        """
        self._require_settings()
        return self._kind(entity).page(cursor, since)

    def _in_turn(self, commands: Sequence[Command]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        stopped: ErpError | None = None
        for command in commands:
            if stopped is None and self.io.deadline.left() < TIME_FOR_ONE:
                stopped = error(ErrorClass.TRANSIENT, "Tryton is slow; this one was not sent yet.")
            outcome = Outcome(error=stopped) if stopped else self._carry_out(command)
            outcomes.append(outcome)
            if stopped is None and outcome.error and outcome.error.cls in STOPPERS:
                message = f"Not sent, because of what came before it: {outcome.error.message}"
                # The error of the command may be uncertain; those after it were not sent for sure.
                stopped = replace(outcome.error, effect=Effect.NOT_APPLIED, message=message)
        return outcomes

    def _carry_out(self, command: Command) -> Outcome:
        try:
            self._require_settings()
            kind = self._kind(command.entity)
            self._refuse_too_long(command)
            return kind.carry_out(command)
        except AdapterError as problem:
            return Outcome(error=problem.error)

    def _refuse_too_long(self, command: Command) -> None:
        """Refuse values over the connection's limits; Tryton itself has none."""
        if command.operation is Operation.DEACTIVATE:
            return
        # Acceptance checks the limits too, but they may have been lowered in the settings since.
        entity = self.manifest(self.config).entities[command.entity]
        for field in entity.fields:
            most = entity.max_length(field.name)
            if most is not None and len(text(command.payload.get(field.name))) > most:
                message = f"{field.label} is longer than the {most} characters of this connection."
                raise AdapterError(error(ErrorClass.INVALID, message, field=field.name))

    def _kind(self, entity: str) -> Records:
        if entity not in self.kinds:
            message = f"Tryton is sent no records called “{entity}”."
            raise AdapterError(_unsupported(message))
        return self.kinds[entity]

    def _require_settings(self) -> None:
        if self.problems:
            raise AdapterError(error(ErrorClass.SETUP, " ".join(self.problems)))


def _unsupported(message: str) -> ErpError:
    return error(ErrorClass.UNSUPPORTED, message)
