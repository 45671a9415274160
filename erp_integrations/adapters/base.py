"""Adapter contract, version 2: the interface between the export engine and an ERP adapter.

An adapter declares what its ERP supports (:class:`Manifest`), and it can check the connection, list
choices, validate and preview a record, look a record up, and submit commands. For one key it is
called by one process at a time, and it returns only values of this module.

The methods of ``CALLS_ERP`` take as long as the ERP does, so they are never called inside a
database transaction. The methods of ``PURE`` do no I/O and may be called in one. See
docs/design/export-protocol.md, "Adapter contract", and docs/write-an-adapter.md.
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
from typing import ClassVar

from erpbridge.outgoing.uptime import uptime

API_VERSION = 2
# Version -> what its adapters have to change for the next one. An adapter of an older version is
# refused with these sentences. See docs/write-an-adapter.md, "From version 1 to 2".
CHANGES = {
    1: (
        "EntityManifest.batch became batches=Batches(create=..., update=..., deactivate=..., "
        "find=...)",
        "Rate.at_once became Manifest.concurrency",
        "pull takes since, and its Page has point and deleted",
    ),
}
# Methods of Adapter that call the ERP.
CALLS_ERP = frozenset({"check", "choices", "find", "find_many", "fetch", "submit", "poll", "pull"})
# Methods of Adapter that compute their answer from the settings and arguments alone.
PURE = frozenset(
    {
        *("manifest", "choice_kinds", "validate", "preview"),
        *("receive", "reply", "locked_out"),
        *("render_file", "read_result"),
    }
)


class Operation(StrEnum):
    """What to do with one record of the ERP. A create never overwrites."""

    CREATE = "create"
    UPDATE = "update"
    DEACTIVATE = "deactivate"


class Delivery(StrEnum):
    """How a command reaches the ERP.

    Sync: a call with an immediate outcome. Queued: a call, then polling for the outcome. Polled:
    the ERP calls erpbridge. File: a user imports a file into the ERP.
    """

    SYNC = "sync"
    QUEUED = "queued"
    POLLED = "polled"
    FILE = "file"


class Owner(StrEnum):
    """Where records of a type are maintained: in the ERP, in erpbridge, or in either.

    Of records that the ERP owns nothing is sent. The other two are the same to erpbridge today.
    """

    ERP = "erp"
    BRIDGE = "bridge"
    EITHER = "either"


class ErrorClass(StrEnum):
    """Kind of an error; decides what the engine does next. An uncertain effect overrides it."""

    # Retried with back-off.
    TRANSIENT = "transient"
    # Retried after the wait that the ERP asks for; not counted as an attempt.
    THROTTLED = "throttled"
    # The login is refused: the connection is paused until a test succeeds.
    AUTH_EXPIRED = "auth_expired"
    # The login lacks a permission.
    FORBIDDEN = "forbidden"
    # A value is refused; ``ErpError.field`` names it.
    INVALID = "invalid"
    # The key is taken.
    DUPLICATE = "duplicate"
    # The ERP's record was changed since it was last read.
    CONFLICT = "conflict"
    # A record or choice that the command refers to does not exist.
    MISSING_REF = "missing_ref"
    # The ERP or the adapter cannot do this.
    UNSUPPORTED = "unsupported"
    # The settings do not allow a call: the connection is paused until a test succeeds.
    SETUP = "setup"
    # An answer that the adapter does not understand, or a failure of the adapter itself.
    BUG = "bug"


class Effect(StrEnum):
    """Whether the ERP applied a command that ended with an error or without an answer."""

    NOT_APPLIED = "not_applied"
    APPLIED = "applied"
    UNCERTAIN = "uncertain"


class RuleKind(StrEnum):
    """What a rule demands. The kinds are those of Procore's connector metadata and two more."""

    PRESENT = "present"
    NUMERIC = "numeric"
    POSITIVE = "positive"
    MAX_LENGTH = "max_length"
    MAX_LINE_LENGTH = "max_line_length"
    MAX_LENGTH_DECIMAL = "max_length_decimal"
    MAX_LENGTH_UNITS = "max_length_units"
    FORMAT = "format"
    DISALLOW_DIVISION = "disallow_division"
    CHARSET = "charset"
    CASE = "case"


class Phase(StrEnum):
    """From when on a rule is meant to apply: when the record is saved, or only when it is exported.

    Today erpbridge saves records whatever the rules say, and checks all rules alike when a record
    is sent and when it is accepted.
    """

    SAVE = "save"
    EXPORT = "export"


@dataclass(frozen=True)
class Rule:
    """One validation rule of a field.

    ``value`` is the limit, the regular expression (``format``), the allowed characters as a
    regular-expression class (``charset``) or ``upper``/``lower`` (``case``). ``message`` may hold
    ``%{length}``.
    """

    kind: RuleKind
    field: str
    value: int | str | None = None
    message: str = ""
    phase: Phase = Phase.EXPORT

    @property
    def limit(self) -> int:
        """The value of a rule about a length."""
        return int(self.value or 0)


@dataclass(frozen=True)
class Field:
    """A field that the ERP stores; ``name`` is its name in the payload."""

    name: str
    label: str
    erp_name: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class AcceptanceField:
    """A value that the approver enters when accepting a record.

    ``choices`` is the kind of the list to choose from (:meth:`Adapter.choices`); with a ``group``
    only values of that group, and values without a group, are offered. With the ``proposal``
    ``mnemonic`` an unused value derived from the record's name is proposed.
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
    """The tiers of a code whose leading zeros are removed."""

    KEEP = "keep"
    FIRST = "first"
    ALL = "all"


@dataclass(frozen=True)
class CodeFormat:
    """The format of codes with several tiers in an ERP; the default changes nothing.

    Example: with the delimiter ``.`` and ``Zeros.FIRST``, ``03-300`` becomes ``3.300``. Zeros are
    removed first. Then, with ``numeric_only``, each tier must be digits, and a tier that has an
    entry in ``section_lengths`` must have exactly that length. ``most_tiers`` None: no limit.
    """

    delimiter: str = "-"
    most_tiers: int | None = None
    strip_zeros: Zeros = Zeros.KEEP
    numeric_only: bool = False
    section_lengths: tuple[int, ...] = ()


class Feed(StrEnum):
    """What :meth:`Adapter.pull` can tell since an earlier pull.

    Nothing: only all records, each time. Changes: the records that are new or were changed.
    Deletions: these, and which records were deleted.
    """

    NOTHING = "nothing"
    CHANGES = "changes"
    DELETIONS = "deletions"


# The largest batch that a manifest may declare.
MOST_IN_BATCH = 1_000


@dataclass(frozen=True)
class Batches:
    """The most records of one call, from 1 to ``MOST_IN_BATCH``.

    A :meth:`Adapter.submit` has commands of one operation only. ``find`` is the most keys of a
    :meth:`Adapter.find_many`. A call has one ``call_deadline``, however many records it has.
    """

    create: int = 1
    update: int = 1
    deactivate: int = 1
    find: int = 1

    def of(self, operation: Operation) -> int:
        """The most commands of this operation in one call."""
        return {
            Operation.CREATE: self.create,
            Operation.UPDATE: self.update,
            Operation.DEACTIVATE: self.deactivate,
        }[operation]


# Columns shown besides the key if the manifest does not name any.
MOST_COLUMNS = 5


@dataclass(frozen=True)
class EntityManifest:
    """What the ERP supports for one record type.

    ``key``: the acceptance or payload fields that are unique in the ERP. ``key_is_id``: the ERP has
    no other ID than the key. ``code_format``: the payload's ``full_code`` is made from its ``path``
    in this format. ``imports``: existing records can be fetched with :meth:`Adapter.pull`;
    ``feed``: what that can tell since an earlier pull. ``batches``: the most records of one call.
    ``shows``: the payload and acceptance fields that are columns of the page *What the ERP holds*:
    the key, the name or description, and fields that help to tell records apart.
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
    feed: Feed = Feed.NOTHING
    batches: Batches = Batches()
    code_format: CodeFormat | None = None
    shows: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns for records of the ERP: ``shows``, or else the key and the first fields."""
        others = [declared.name for declared in self.fields if declared.name not in self.key]
        return self.shows or (*self.key, *others[:MOST_COLUMNS])

    def label_of(self, name: str) -> str:
        """The label of a payload or acceptance field."""
        labels = {declared.name: declared.label for declared in self.fields}
        labels |= {declared.name: declared.label for declared in self.acceptance_fields}
        return labels.get(name, name)

    def max_length(self, name: str) -> int | None:
        """The length limit of a payload field; None if it has none."""
        for declared in self.fields:
            for rule in declared.rules:
                if declared.name == name and rule.kind == RuleKind.MAX_LENGTH:
                    return rule.limit
        return None


class SettingKind(StrEnum):
    """What a setting holds."""

    TEXT = "text"
    URL = "url"
    INTEGER = "integer"
    CHOICE = "choice"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True)
class Setting:
    """One configuration value of a connection.

    ``identity``: the value decides which ERP and which books the connection uses, such as an
    address or a company number. A login does not, and a secret is never an identity setting.
    ``least`` and ``most`` are the limits of an integer.
    """

    name: str
    label: str
    kind: SettingKind = SettingKind.TEXT
    default: int | str = ""
    options: tuple[tuple[str, str], ...] = ()
    least: int | None = None
    most: int | None = None
    help: str = ""
    identity: bool = False


@dataclass(frozen=True)
class Rate:
    """How many commands an ERP takes per minute. None: no limit."""

    per_minute: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What an adapter is and supports: pure data, no I/O. Durations in seconds.

    ``call_deadline``: how long one call of the adapter may take, including a ``submit`` with all
    its commands; the engine sets ``io.deadline`` accordingly. With polled delivery: the time in
    which the ERP must begin a command after it has fetched it.
    ``concurrency``: how many calls that export may be open at the same time on one connection,
    by all workers together. A connection test, a refresh and the lookup of an item whose outcome is
    unknown may be open besides them. Each call is made on an adapter object of its own thread.
    ``settles_within``: how long after a call's deadline its request may still take effect.
    ``can_find``: whether a record can be looked up by key; if not, a user resolves uncertain items.
    ``can_fetch``: whether a record can be read by its ERP ID; if not, a user decides whether an ID
    that an API client named is the right one.
    ``silent_after`` (queued): how long after the hand-over the ERP may still carry out a command;
    a command still pending then counts as lost.
    ``verification``: how the adapter was tested, for users.
    ``custom_segments``: whether budget codes can have more parts than cost code, cost type and
    sub job.
    ``no_identity``: if no setting is an identity setting, the reason.
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
    concurrency: int = 1
    settles_within: float = 0.0
    can_find: bool = True
    can_fetch: bool = False
    rate: Rate = Rate()
    silent_after: float = 3600.0
    custom_segments: bool = False
    no_identity: str = ""

    @property
    def can_compare(self) -> bool:
        """Whether a worker can read a record by its ERP ID; never if the ERP is not called."""
        return self.can_fetch and self.delivery in (Delivery.SYNC, Delivery.QUEUED)

    @property
    def identity(self) -> tuple[Setting, ...]:
        """The identity settings.

        All settings that are not secret, if the adapter declares none and gives no reason.
        """
        plain = tuple(setting for setting in self.settings if setting.kind != SettingKind.SECRET)
        declared = tuple(setting for setting in plain if setting.identity)
        return declared or (() if self.no_identity else plain)


@dataclass(frozen=True)
class Command:
    """One operation on one record. ``intent`` is an ID that is the same for all its attempts.

    ``parent_erp_id`` is the ERP ID of the parent, for records that form a tree.
    """

    intent: str
    entity: str
    operation: Operation
    key: str
    payload: Mapping[str, object]
    acceptance: Mapping[str, object] = field(default_factory=dict)
    erp_id: str = ""
    erp_version: str = ""
    parent_erp_id: str = ""


@dataclass(frozen=True)
class Problem:
    """A rule that a record breaks; ``message`` is for users."""

    field: str
    rule: str
    message: str
    current: str = ""
    limit: str = ""


@dataclass(frozen=True)
class WireField:
    """One field as it will be sent; ``source`` is the payload or acceptance field, if any."""

    erp_name: str
    value: object
    source: str = ""
    unchanged: bool = False


@dataclass(frozen=True)
class Wire:
    """What will be sent for a command: all fields, and the text of the message."""

    fields: tuple[WireField, ...]
    text: str


@dataclass(frozen=True)
class ErpError:
    """Why a command failed. ``message`` is the ERP's own, unchanged.

    ``field`` is the payload or acceptance field, ``erp_code`` the ERP's error code, ``advice`` what
    a user can do, and ``retry_after`` the seconds that the ERP asks to wait.
    """

    cls: ErrorClass
    effect: Effect
    message: str
    field: str = ""
    erp_code: str = ""
    advice: str = ""
    retry_after: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of one command: applied (``erp_id`` set), an error, or pending (``handle`` set).

    A pending command is polled with its handle (:meth:`Adapter.poll`), first after ``check_after``
    seconds. ``answer`` is the ERP's response as text.
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
    """A file that a user imports into the ERP. A spreadsheet must not take a cell for a formula."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Found:
    """A record of the ERP. The keys of ``data`` are names of payload and acceptance fields."""

    erp_id: str
    erp_code: str
    erp_version: str
    data: Mapping[str, object]


@dataclass(frozen=True)
class Ambiguous:
    """More than one record of the ERP has the key."""

    erp_ids: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """Result of a connection test; each problem is a message for users that says what to do."""

    problems: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the test has found no problem."""
        return not self.problems


@dataclass(frozen=True)
class Choice:
    """One value of a list of the ERP, such as a vendor type.

    ``group`` is its kind in words for users, such as "income account"; empty if the ERP has none.
    """

    code: str
    label: str
    group: str = ""


@dataclass(frozen=True)
class Page:
    """One page of records; an empty ``cursor`` means that it is the last.

    ``point``: on the last page, where the next pull of changes starts (``since``); a change that
    was made after the first page was read is told by that pull. Empty: pull everything again.
    ``deleted``: the ERP IDs of records that were deleted since.
    """

    records: tuple[Found, ...]
    cursor: str = ""
    point: str = ""
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True)
class InboundCall:
    """One HTTP request of a polling ERP. ``path`` is the part after the connection's URL.

    ``headers`` has lower-case names, and only the headers of the body and the credentials.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class InboundReply:
    """HTTP response to a polling ERP; ``retry_after`` seconds become a Retry-After header."""

    status: int
    content_type: str
    body: bytes
    retry_after: float | None = None


@dataclass(frozen=True)
class Handed:
    """A command for a polling ERP. The ERP returns ``ticket`` unchanged with its report.

    It must begin the command within ``begin_within`` seconds, or not at all.
    """

    ticket: str
    command: Command
    begin_within: float


@dataclass(frozen=True)
class LookUp:
    """A lookup for a polling ERP: which record has this key?"""

    ticket: str
    entity: str
    key: str


@dataclass(frozen=True)
class Report:
    """A polling ERP's report on a command; its outcome is never pending."""

    ticket: str
    outcome: Outcome


@dataclass(frozen=True)
class Seen:
    """A polling ERP's answer to a :class:`LookUp`."""

    ticket: str
    found: Found | Ambiguous | None


@dataclass(frozen=True)
class InboundAsk:
    """The content of a polling ERP's request. With ``refused`` that is the response, and all else
    is ignored.

    ``wrong_credentials``: the reason of the refusal; the host counts these calls, and locks the
    connection for a while after several in a row. ``take``: how many commands and lookups the ERP
    accepts with the reply. ``notes``: data of the adapter for its :meth:`Adapter.reply`.
    """

    refused: InboundReply | None = None
    wrong_credentials: bool = False
    take: int = 0
    reports: tuple[Report, ...] = ()
    seen: tuple[Seen, ...] = ()
    notes: Mapping[str, object] = field(default_factory=dict)


class AdapterError(Exception):
    """Raised by calls that do not return outcomes, such as choices, find, fetch and pull.

    ``AdapterError(error)`` carries an :class:`ErpError`, as its ``error``.
    """

    def __init__(self, error: ErpError) -> None:
        super().__init__(error.message)
        self.error = error


class Deadline:
    """Time limit of the current call of the adapter; after it nothing may be sent to the ERP.

    All commands of one :meth:`Adapter.submit` share it.
    """

    def __init__(self) -> None:
        self._until = math.inf

    def left(self) -> float:
        """Seconds left; zero or negative if the time is over."""
        return self._until - uptime()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Limit the block to so many seconds from now; an earlier outer limit stays."""
        before = self._until
        self._until = min(before, uptime() + seconds)
        try:
            yield
        finally:
            self._until = before


@dataclass(frozen=True)
class Io:
    """What an adapter gets from its host.

    ``folder`` is its own folder on disk, ``clock`` returns Unix time in seconds, ``deadline`` is
    the time limit of the current call. ``allowed_hosts``: names, addresses and networks that may be
    called although they are not public.
    """

    folder: Path
    clock: Callable[[], float]
    logger: logging.Logger
    deadline: Deadline = field(default_factory=Deadline)
    allowed_hosts: tuple[str, ...] = ()


class Adapter(ABC):
    """One configured ERP. ``config`` holds the manifest's settings, ``secrets`` the secret ones.

    ``api_version``: the contract version for which the adapter was written, as a number of its own.
    Without one it counts as written for version 1, which did not ask for it.
    """

    api_version: ClassVar[int] = 1

    def __init__(self, config: Mapping[str, object], secrets: Mapping[str, str], io: Io) -> None:
        self.config = config
        self.secrets = secrets
        self.io = io

    @classmethod
    @abstractmethod
    def manifest(cls, config: Mapping[str, object]) -> Manifest:
        """What this ERP supports with this configuration. Pure (no I/O)."""

    @abstractmethod
    def check(self) -> Health:
        """Test the connection: reachable, login, company, permissions. Never raises."""

    @abstractmethod
    def choice_kinds(self) -> Sequence[str]:
        """The kinds of lists that :meth:`choices` supports. Pure."""

    @abstractmethod
    def choices(self, kind: str) -> Sequence[Choice]:
        """The values of one list of the ERP.

        :raises AdapterError: if the call to the ERP fails, or has no such list.
        """

    @abstractmethod
    def validate(self, command: Command) -> Sequence[Problem]:
        """Check the rules that the manifest cannot express; return all problems. Pure."""

    @abstractmethod
    def preview(self, command: Command) -> Wire:
        """Exactly what :meth:`submit` would send. Pure."""

    @abstractmethod
    def find(self, entity: str, key: str) -> Found | Ambiguous | None:
        """Look up the record with this key in the ERP.

        :raises AdapterError: if the call to the ERP fails.
        """

    def find_many(self, entity: str, keys: Sequence[str]) -> Sequence[Found | Ambiguous | None]:
        """Look up several keys in one call; returns one result per key, in order.

        Called with at most ``Batches.find`` keys, all different. Override it if the ERP can be
        asked for several keys at once; the default asks one by one.

        :raises AdapterError: if the call to the ERP fails.
        """
        return [self.find(entity, key) for key in keys]

    def fetch(self, entity: str, erp_id: str) -> Found | None:
        """Read the record with this ERP ID; None also for a string that is no ID of the ERP.

        Only called if the manifest has ``can_fetch``.

        :raises AdapterError: if the call to the ERP fails.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be asked by ID")

    @abstractmethod
    def submit(self, commands: Sequence[Command]) -> Sequence[Outcome]:
        """Carry out commands of one record type and operation; returns one outcome each, in order.

        Called with at most ``Batches.of`` the operation. Never raises for a record.
        """

    def poll(self, handles: Sequence[str]) -> Sequence[Outcome]:
        """Queued: the outcomes of pending commands, one per handle, in order.

        Only called for handles that :meth:`submit` has returned.

        :raises AdapterError: if the call to the ERP fails.
        """
        raise NotImplementedError(f"{type(self).__name__} hands out no handles")

    def receive(self, call: InboundCall) -> InboundAsk:
        """Polled: check the credentials (in constant time) and read a request of the ERP. Pure.

        A request that cannot be read is refused with ``InboundAsk.refused``.
        """
        raise NotImplementedError(f"{type(self).__name__} takes no calls")

    def reply(
        self, ask: InboundAsk, commands: Sequence[Handed], looks: Sequence[LookUp]
    ) -> InboundReply:
        """Polled: the response with commands and lookups in the ERP's protocol. Pure."""
        raise NotImplementedError(f"{type(self).__name__} takes no calls")

    def locked_out(self, call: InboundCall, seconds: float) -> InboundReply:
        """Polled: refuse a call during a lockout after wrong credentials. Pure.

        Override it for a protocol that puts errors into an envelope of its own.
        """
        text = f"Too many calls had the wrong credentials. Ask again in {seconds:.0f} seconds."
        return InboundReply(429, "text/plain; charset=utf-8", text.encode(), retry_after=seconds)

    def render_file(self, commands: Sequence[Command]) -> MadeFile:
        """File: make the file that a user imports into the ERP. Pure.

        :raises AdapterError: if the commands cannot be put into a file.
        """
        raise NotImplementedError(f"{type(self).__name__} makes no files")

    def read_result(self, content: bytes) -> Mapping[str, Outcome]:
        """File: read the ERP's result file; intent -> outcome. Pure.

        :raises AdapterError: if it cannot be read, or is not a result file.
        """
        raise NotImplementedError(f"{type(self).__name__} reads no files")

    @abstractmethod
    def pull(self, entity: str, cursor: str = "", since: str = "") -> Page:
        """Read one page of the ERP's records; an empty cursor is the first page.

        :param since: the ``point`` of an earlier pull: read only what has changed since then. The
            same for all pages of one pull. Only given if the record type has a ``feed``. A record
            may be told again although it has not changed.
        :raises AdapterError: if the call to the ERP fails.
        """
