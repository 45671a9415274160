"""Adapter contract, version 1: all an ERP adapter and the engine know of each other.

An adapter declares what its ERP takes (:class:`Manifest`) and does five things with it: check the
connection, list choices, validate and preview a record, look a record up, and submit commands.
It is called from one process at a time per key, never inside a database transaction, and answers
only with values of this module. See docs/design/export-protocol.md, "Adapter contract".
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from erpbridge.outgoing.uptime import uptime

API_VERSION = 1


class Operation(StrEnum):
    """What is done to one record of the ERP. A create never overwrites."""

    CREATE = "create"
    UPDATE = "update"
    DEACTIVATE = "deactivate"


class Delivery(StrEnum):
    """How a command reaches the ERP."""

    SYNC = "sync"
    QUEUED = "queued"
    POLLED = "polled"
    FILE = "file"


class Owner(StrEnum):
    """Who owns a list of records: the ERP, erpbridge, or either."""

    ERP = "erp"
    BRIDGE = "bridge"
    EITHER = "either"


class ErrorClass(StrEnum):
    """What kind of thing went wrong; decides the reaction."""

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    AUTH_EXPIRED = "auth_expired"
    FORBIDDEN = "forbidden"
    INVALID = "invalid"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    MISSING_REF = "missing_ref"
    UNSUPPORTED = "unsupported"
    SETUP = "setup"
    BUG = "bug"


class Effect(StrEnum):
    """Whether the ERP took the command although it answered with an error, or not at all."""

    NOT_APPLIED = "not_applied"
    APPLIED = "applied"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Rule:
    """One requirement on one field, with the kinds of Procore's connector metadata.

    ``kind`` is one of ``present, numeric, positive, max_length, max_line_length,
    max_length_decimal, max_length_units, format, disallow_division, charset, case``. ``value`` is
    the limit, the regular expression (``format``), the allowed characters as a regular-expression
    class (``charset``) or ``upper``/``lower`` (``case``). ``message`` may hold ``%{length}``.
    """

    kind: str
    field: str
    value: Any = None
    message: str = ""
    phase: str = "export"


@dataclass(frozen=True)
class Field:
    """A field of the record that the ERP stores; ``name`` is the payload's."""

    name: str
    label: str
    erp_name: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class AcceptanceField:
    """A value asked of the approver. With ``choices`` it is picked from the ERP's own list; with
    a ``group``, from what is of that kind or of no kind that the ERP tells.

    ``proposal`` is ``mnemonic`` where an unused value made from the record's name is to be offered.
    """

    name: str
    label: str
    required: bool = True
    choices: str = ""
    rules: tuple[Rule, ...] = ()
    proposal: str = ""
    help: str = ""
    group: str = ""


class Zeros(StrEnum):
    """Of which tiers of a code the leading zeros are taken away."""

    KEEP = "keep"
    FIRST = "first"
    ALL = "all"


@dataclass(frozen=True)
class CodeFormat:
    """The form in which an ERP keeps codes of several tiers; the default changes nothing.

    ``03-300`` becomes ``3.300`` with the delimiter ``.`` and ``Zeros.FIRST``. Zeros are taken away
    first; then each tier must be of digits only where ``numeric_only``, and exactly as long as
    its place in ``section_lengths`` says, where it has one. ``most_tiers`` None: any number.
    """

    delimiter: str = "-"
    most_tiers: int | None = None
    strip_zeros: Zeros = Zeros.KEEP
    numeric_only: bool = False
    section_lengths: tuple[int, ...] = ()


# Columns beside the key where an adapter does not say which are worth showing.
MOST_COLUMNS = 5


@dataclass(frozen=True)
class EntityManifest:
    """What the ERP can do with one record type. ``key`` names the acceptance or payload fields
    that make a record unique in the ERP; with ``key_is_id`` it has no other ID than that. With a
    ``code_format`` the payload's ``full_code`` is the code as the ERP keeps it, made from the
    payload's ``path``. ``shows`` names the payload and acceptance fields that *What the ERP holds*
    has columns for: the key, the name or description, and what tells records apart.
    """

    entity: str
    label: str
    operations: frozenset[Operation]
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    key_case_sensitive: bool = False
    key_is_id: bool = False
    owner: Owner = Owner.EITHER
    acceptance_fields: tuple[AcceptanceField, ...] = ()
    imports: bool = False
    batch: int = 1
    code_format: CodeFormat | None = None
    shows: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """What is shown of a record that the ERP holds: as declared, or else the key first."""
        rest = [one.name for one in self.fields if one.name not in self.key]
        return self.shows or (*self.key, *rest[:MOST_COLUMNS])

    def label_of(self, name: str) -> str:
        """What people call a payload or acceptance field."""
        labels = {one.name: one.label for one in self.fields}
        labels |= {one.name: one.label for one in self.acceptance_fields}
        return labels.get(name, name)

    def max_length(self, name: str) -> int | None:
        """The length limit of a payload field, for counters on forms."""
        for one in self.fields:
            for rule in one.rules:
                if one.name == name and rule.kind == "max_length":
                    return int(rule.value)
        return None


@dataclass(frozen=True)
class Setting:
    """One configuration value of a connection. ``kind``: text, url, integer, choice or secret.

    ``identity``: it says which ERP and which books of it the connection leads to, such as an
    address or a company, so that another value makes it another connection. A login is none: it
    says who asks, and is a secret or a plain setting. A secret is never identity.
    """

    name: str
    label: str
    kind: str = "text"
    default: Any = ""
    options: tuple[tuple[str, str], ...] = ()
    least: int | None = None
    most: int | None = None
    help: str = ""
    identity: bool = False


@dataclass(frozen=True)
class Rate:
    """How many commands an ERP takes: a minute, and at once. None: as many as there are."""

    per_minute: int | None = None
    at_once: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What an adapter is and can do: pure data, no I/O. Durations in seconds.

    ``call_deadline``: how long one call of the adapter may take, a ``submit`` with all its commands
    too; the host sets ``io.deadline`` by it.
    ``settles_within``: how long after a call's deadline what it asked for may still take effect.
    ``can_find``: whether the ERP can be asked by key; without it a person decides the uncertain.
    ``can_fetch``: whether it can be asked by its own ID; without it a person decides whether an ID
    that a program named is the right one.
    ``silent_after`` (queued): how long after a hand-over the ERP may still carry it out; a command
    still pending then counts as lost. In a polled delivery ``call_deadline`` is the time in which
    the ERP begins what it was handed, and look-ups travel the same way as commands.
    ``custom_segments``: whether its budget codes can have more parts than cost code, cost type and
    sub job. ``no_identity``: why none of the settings is identity, where none is.
    """

    key: str
    label: str
    short_name: str
    vendor: str
    tested_versions: str
    delivery: Delivery
    verification: str
    entities: Mapping[str, EntityManifest]
    settings: tuple[Setting, ...] = ()
    call_deadline: float = 20.0
    settles_within: float = 0.0
    can_find: bool = True
    can_fetch: bool = False
    rate: Rate = Rate()
    silent_after: float = 3600.0
    custom_segments: bool = False
    no_identity: str = ""

    @property
    def can_compare(self) -> bool:
        """Whether a worker can ask the ERP by its own ID: only where it calls it at all."""
        return self.can_fetch and self.delivery in (Delivery.SYNC, Delivery.QUEUED)

    @property
    def identity(self) -> tuple[Setting, ...]:
        """The settings that say where a connection leads.

        Of an adapter that declares none, and does not say why, all that are not secret.
        """
        plain = tuple(one for one in self.settings if one.kind != "secret")
        declared = tuple(one for one in plain if one.identity)
        return declared or (() if self.no_identity else plain)


@dataclass(frozen=True)
class Command:
    """One thing to be done in the ERP. ``intent`` is the same for every attempt of it.

    ``parent_erp_id`` is what the ERP calls the record's parent, for records that form a tree.
    """

    intent: str
    entity: str
    operation: Operation
    key: str
    payload: Mapping[str, Any]
    acceptance: Mapping[str, Any] = field(default_factory=dict)
    erp_id: str = ""
    erp_version: str = ""
    parent_erp_id: str = ""


@dataclass(frozen=True)
class Problem:
    """A rule that a record breaks, ready to be shown."""

    field: str
    rule: str
    message: str
    current: str = ""
    limit: str = ""


@dataclass(frozen=True)
class WireField:
    """One field as it will be written; ``source`` says where the value comes from."""

    erp_name: str
    value: Any
    source: str = ""
    unchanged: bool = False


@dataclass(frozen=True)
class Wire:
    """What will go out for a command: every written field, and the text of the message."""

    fields: tuple[WireField, ...]
    text: str


@dataclass(frozen=True)
class ErpError:
    """Why a command did not succeed. ``message`` is what the ERP said, word for word."""

    cls: ErrorClass
    effect: Effect
    message: str
    field: str = ""
    erp_code: str = ""
    advice: str = ""
    retry_after: float | None = None


@dataclass(frozen=True)
class Outcome:
    """The answer to one command: applied (``erp_id`` set), an error, or not known yet.

    ``handle`` says that the ERP has the command and will carry it out: :meth:`Adapter.poll` is
    asked with it, first after ``check_after`` seconds.
    """

    erp_id: str = ""
    erp_code: str = ""
    erp_version: str = ""
    answer: str = ""
    error: ErpError | None = None
    handle: str = ""
    check_after: float = 5.0


@dataclass(frozen=True)
class MadeFile:
    """A file for a person to import into the ERP. No cell of it may be taken for a formula."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Found:
    """A record of the ERP. ``data`` has the names of the payload and acceptance fields."""

    erp_id: str
    erp_code: str
    erp_version: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Ambiguous:
    """More than one record of the ERP answers to a key."""

    erp_ids: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """The result of a connection test; every problem says what to do about it."""

    problems: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Everything needed for exporting is there."""
        return not self.problems


@dataclass(frozen=True)
class Choice:
    """One value of a list kept in the ERP, such as a vendor type.

    ``group`` says of what kind it is, where the ERP tells, in words that people know: of an
    account, that it is an "income account".
    """

    code: str
    label: str
    group: str = ""


@dataclass(frozen=True)
class Page:
    """Some records of the ERP; an empty ``cursor`` means there are no more."""

    records: tuple[Found, ...]
    cursor: str = ""


@dataclass(frozen=True)
class InboundCall:
    """One HTTP request of an ERP that asks us. ``path`` is what follows the connection's address.

    ``headers``: lower-case names, those about the body and the credentials only.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class InboundReply:
    """What the asking ERP is answered; ``retry_after`` seconds are told it in a header."""

    status: int
    content_type: str
    body: bytes
    retry_after: float | None = None


@dataclass(frozen=True)
class Handed:
    """A command handed to an asking ERP. ``ticket`` comes back with the report, as it is.

    The ERP must not begin later than ``begin_within`` seconds after it was handed over.
    """

    ticket: str
    command: Command
    begin_within: float


@dataclass(frozen=True)
class LookUp:
    """A question to an asking ERP: which record has this key?"""

    ticket: str
    entity: str
    key: str


@dataclass(frozen=True)
class Report:
    """What an asking ERP says became of what it was handed; never a handle."""

    ticket: str
    outcome: Outcome


@dataclass(frozen=True)
class Seen:
    """What an asking ERP says to a :class:`LookUp`."""

    ticket: str
    found: Found | Ambiguous | None


@dataclass(frozen=True)
class InboundAsk:
    """What an ERP's request says. With ``refused`` it is answered so, and nothing else happens.

    ``wrong_credentials``: it is refused for these, whatever status the protocol has for that. The
    host counts such calls, and lets none through for a while after several in a row.
    ``take``: how many commands, and how many questions, it takes with the reply. ``notes`` is the
    adapter's own, for its :meth:`Adapter.reply`.
    """

    refused: InboundReply | None = None
    wrong_credentials: bool = False
    take: int = 0
    reports: tuple[Report, ...] = ()
    seen: tuple[Seen, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)


class AdapterError(Exception):
    """Raised by the calls that have no outcome per record: check, choices, find, pull."""

    def __init__(self, error: ErpError) -> None:
        super().__init__(error.message)
        self.error = error


class Deadline:
    """Until when what the host asks for now has to be over; after it nothing may leave.

    All commands of one :meth:`Adapter.submit` share it.
    """

    def __init__(self) -> None:
        self._until = math.inf

    def left(self) -> float:
        """Seconds that are left; none or fewer where the time is over."""
        return self._until - uptime()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """In so many seconds from now, and not later than what held before."""
        before = self._until
        self._until = min(before, uptime() + seconds)
        try:
            yield
        finally:
            self._until = before


@dataclass(frozen=True)
class Io:
    """What an adapter gets from its host: a folder of its own, a clock, a logger, and its time.

    ``allowed_hosts``: names, addresses and networks that are not public and may be called all the
    same.
    """

    folder: Path
    clock: Callable[[], float]
    logger: logging.Logger
    deadline: Deadline = field(default_factory=Deadline)
    allowed_hosts: tuple[str, ...] = ()


class Adapter(ABC):
    """One configured ERP. ``config`` holds the manifest's settings, ``secrets`` the secret ones."""

    api_version: ClassVar[int] = API_VERSION

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str], io: Io) -> None:
        self.config = config
        self.secrets = secrets
        self.io = io

    @classmethod
    @abstractmethod
    def manifest(cls, config: Mapping[str, Any]) -> Manifest:
        """What this ERP takes under ``config``; pure."""

    @abstractmethod
    def check(self) -> Health:
        """Reachable, authenticated, right company, all permissions there? Never raises."""

    @abstractmethod
    def choice_kinds(self) -> Sequence[str]:
        """The names of the lists that :meth:`choices` knows."""

    @abstractmethod
    def choices(self, kind: str) -> Sequence[Choice]:
        """One of the ERP's own lists. :raises AdapterError:"""

    @abstractmethod
    def validate(self, command: Command) -> Sequence[Problem]:
        """Rules of this ERP beyond the manifest's; pure, all problems at once."""

    @abstractmethod
    def preview(self, command: Command) -> Wire:
        """Exactly what :meth:`submit` would write; pure."""

    @abstractmethod
    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """The record with this key, looked up in the ERP now. :raises AdapterError:"""

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """The record that the ERP calls so, looked up in it now; None also for what is no ID there.

        Only asked of adapters whose manifest says ``can_fetch``. :raises AdapterError:
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be asked by ID")

    @abstractmethod
    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Carry the commands out; one outcome each, in order. Never raises for a record."""

    def poll(self, handles: Sequence[str]) -> Sequence[Outcome]:
        """What became of commands the ERP was handed; one outcome each, in order.

        Only asked of adapters that answer with handles. :raises AdapterError:
        """
        raise NotImplementedError(f"{type(self).__name__} hands out no handles")

    def receive(self, call: InboundCall) -> InboundAsk:
        """Polled: check the credentials, in constant time, and read what the ERP says; pure.

        Refuses with a reply what it cannot read. Only asked of adapters whose ERP asks.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no calls")

    def reply(
        self, ask: InboundAsk, commands: Sequence[Handed], looks: Sequence[LookUp]
    ) -> InboundReply:
        """Polled: hand over commands and questions in the ERP's language; pure."""
        raise NotImplementedError(f"{type(self).__name__} takes no calls")

    def locked_out(self, call: InboundCall, seconds: float) -> InboundReply:
        """Polled: the refusal of a call while wrong credentials have locked the address; pure.

        For a protocol that tells everything in its own envelope; the others leave it as it is.
        """
        text = f"Too many calls had the wrong credentials. Ask again in {seconds:.0f} seconds."
        return InboundReply(429, "text/plain; charset=utf-8", text.encode(), retry_after=seconds)

    def render_file(self, commands: Sequence[Command]) -> MadeFile:
        """File: the file that a person imports into the ERP; pure. :raises AdapterError:"""
        raise NotImplementedError(f"{type(self).__name__} makes no files")

    def read_result(self, content: bytes) -> Mapping[str, Outcome]:
        """File: what the ERP's result file says, by intent; pure.

        :raises AdapterError: where it cannot be read, or is not the result of such a file.
        """
        raise NotImplementedError(f"{type(self).__name__} reads no files")

    @abstractmethod
    def pull(self, entity: str, cursor: str = "") -> Page:
        """A page of the ERP's records, from the start for an empty cursor. :raises AdapterError:"""
