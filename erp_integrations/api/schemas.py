"""Types of responses and schemas of bodies, for the API description.

The class docstrings are the descriptions of the types.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired, TypedDict
from uuid import UUID

from erpbridge.rest.schema.operations import Schema, an_object

TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "integer"}
# Optional fields also take null, which is the same as leaving them out.
REVISION: Schema = {"type": ["integer", "null"]}
ACCEPTANCE: Schema = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
# The digest names the revision of an item that the caller has read.
DIGEST_BODY = an_object({"digest": TEXT})
ACCEPT_BODY = an_object({"digest": TEXT, "acceptance": ACCEPTANCE}, ["digest"])
REASON_BODY = an_object({"digest": TEXT, "reason": TEXT}, ["reason"])
REJECT_BODY = an_object(
    {"digest": TEXT, "reason": TEXT, "include_children": {"type": ["boolean", "null"]}}, ["reason"]
)
ANSWER_BODY = an_object(
    {
        "digest": TEXT,
        "answer": {"enum": ["there", "not_there"]},
        "origin_id": TEXT,
        "reason": TEXT,
    },
    ["answer", "reason"],
)
LINK_BODY = an_object({"digest": TEXT, "origin_id": TEXT}, ["digest", "origin_id"])
USE_BODY = an_object(
    {"digest": TEXT, "origin_ids": {"type": "array", "items": TEXT}, "reason": TEXT},
    ["origin_ids", "reason"],
)
# The limit is that of ``workflow.send.services.LONGEST_NOTE``.
NOTE: Schema = {"type": ["string", "null"], "maxLength": 1_000}
SEND_BODY = an_object({"revision": REVISION, "note": NOTE})


def rows_body(row: Schema, **beside: Schema) -> Schema:
    """Return the schema of a body with a list of rows in ``updates``.

    :param beside: fields beside ``updates``, which apply to all rows.
    """
    # The limit of Procore's sync calls (docs/design/procore-rest-conventions.md, "Sync").
    rows: Schema = {"type": "array", "items": row, "maxItems": 1_000}
    return an_object({"updates": rows, **beside}, ["updates"])


MANY_BODY = rows_body(an_object({"id": ID, "revision": REVISION}, ["id"]), note=NOTE)
ACCEPT_MANY_BODY = rows_body(
    an_object({"id": ID, "digest": TEXT, "acceptance": ACCEPTANCE}, ["id", "digest"]),
    acceptance=ACCEPTANCE,
)
REJECT_MANY_BODY = rows_body(an_object({"id": ID, "reason": TEXT}, ["id"]), reason=TEXT)


class Person(TypedDict):
    """A person."""

    id: int
    name: str
    login: str


class ConnectionName(TypedDict):
    """The ERP connection of an item."""

    id: int
    name: str


class ItemError(TypedDict):
    """Why an item failed, and what to do about it."""

    kind: str | None
    field: str | None
    message: str
    advice: str | None


class Waits(TypedDict):
    """Why an item waits, and when it is tried next; null if a person has to act first."""

    # The values of ``connections.wait_reasons.Cause``.
    cause: Literal[
        "unusable",
        "paused",
        "login",
        "setup",
        "outage",
        "wrong_passwords",
        "test_failed",
        "held_back",
        "retry",
    ]
    message: str
    next_try_at: datetime | None


class QueueItem(TypedDict):
    """An acceptance item."""

    id: int
    company_id: int
    project_id: int | None
    item_type: str
    item_id: int
    label: str
    erp_status: str
    state: str
    operation: str
    revision: int
    digest: str
    erp_connection: ConnectionName
    sent_by: Person | None
    sent_at: datetime | None
    note: str | None
    decided_by: Person | None
    decided_at: datetime | None
    decision_note: str | None
    settled_at: datetime | None
    origin_id: str | None
    origin_code: str | None
    waits_for_item_id: int | None
    waits: Waits | None
    error: ItemError | None
    sent_in_request_id: UUID | None
    request_id: UUID | None


class Choice(TypedDict):
    """A value that the ERP offers for an acceptance field."""

    key: str
    value: str


class Rule(TypedDict):
    """A limit that the ERP sets for an acceptance field."""

    kind: str
    value: object


class AcceptanceFieldRow(TypedDict):
    """A field that the approver fills in; without ``choices`` it is free text."""

    name: str
    label: str
    required: bool
    help: str | None
    rules: list[Rule]
    choices: list[Choice] | None
    value: str | None


class PreviewField(TypedDict):
    """A field as it will be written to the ERP."""

    name: str
    value: object
    source: str | None
    unchanged: bool


class Preview(TypedDict):
    """What will be written to the ERP."""

    fields: list[PreviewField]
    text: str


class Change(TypedDict):
    """A field that differs from the value that the ERP accepted last."""

    label: str
    old: object
    new: object


class MatchedField(TypedDict):
    """A field of the ERP's record beside the value that was sent."""

    label: str
    in_erp: str
    sent: str
    differs: bool


class ErpMatch(TypedDict):
    """A record of the ERP that may be the same as the item's; ``same`` lists the equal fields.

    ``linked_to`` names the record that it is already linked to.
    """

    origin_id: str
    origin_code: str
    label: str
    same: list[str]
    linked_to: str | None
    fields: list[MatchedField]


class NotCompared(TypedDict):
    """An ID of the ERP that an API client has set and that was not compared yet.

    It is of the record or of its parent. An approver has to confirm that it is the right one.
    """

    item_id: int
    label: str
    origin_id: str
    message: str


class RejectedBefore(TypedDict):
    """The last rejection of the record, and what its sender has changed since."""

    by: Person | None
    at: datetime | None
    reason: str
    changes: list[Change]


class Attempt(TypedDict):
    """One attempt to export the item."""

    id: int
    number: int
    opened_at: datetime
    answered_at: datetime | None
    outcome: str
    error_kind: str | None
    origin_id: str | None
    answer_excerpt: str | None


class ItemEvent(TypedDict):
    """An event in the history of an item."""

    at: datetime
    actor: Person | None
    event: str
    words: str
    note: str


class Lookup(TypedDict):
    """A lookup, in the ERP, of the record that an answer named."""

    origin_id: str
    status: Literal["queued", "running", "failed"]
    problem: str | None


class WholeItem(QueueItem):
    """An acceptance item with all its details."""

    standing: str | None
    lookup: Lookup | None
    payload: dict[str, object]
    acceptance: dict[str, object]
    acceptance_fields: list[AcceptanceFieldRow]
    preview: Preview | None
    changes: list[Change]
    rejected_before: RejectedBefore | None
    erp_matches: list[ErpMatch]
    not_compared: list[NotCompared]
    # The values of ``workflow.accept.actions.Action``, which are also the last part of the routes.
    available_actions: list[
        Literal[
            "accept",
            "retry",
            "reject",
            "withdraw",
            "answer",
            "link_instead",
            "use_anyway",
            "unlink",
        ]
    ]
    attempts: list[Attempt]
    history: list[ItemEvent]


class RefusedClick(TypedDict):
    """A refused row as it was sent, with its errors by field."""

    id: NotRequired[object]
    errors: dict[str, list[str]]


class ManyDecided(TypedDict):
    """The decided items, the refused rows, and the ids of the bulk requests."""

    entities: list[QueueItem]
    errors: list[RefusedClick]
    request_ids: list[UUID]


class RecordState(TypedDict):
    """The ERP state of a record."""

    id: int
    item_type: str
    erp_status: str
    state: str | None
    synced_to_erp: bool
    changed_since_sync: bool
    origin_id: str | None
    origin_code: str | None
    origin_compared: bool | None
    revision: int
    erp_queue_id: int | None


class Reason(TypedDict):
    """Why a record cannot be sent or retrieved."""

    field: str
    rule: str
    message: str


class RecordStanding(RecordState):
    """The ERP state of a record, and what the caller can do about it."""

    can_send: bool
    can_retrieve: bool
    reasons: list[Reason]
    locked: str | None
    waits: Waits | None


class Clicked(RecordState):
    """The ERP state of a record after it was sent or retrieved."""

    request_id: UUID


class ManyClicked(TypedDict):
    """The ERP states of the records, the refused rows, and the id of the bulk request."""

    entities: list[RecordState]
    errors: list[RefusedClick]
    request_id: UUID


class RefusedRecord(TypedDict):
    """A record that a bulk request refused, with its errors by field."""

    item_id: int
    label: str
    errors: dict[str, list[str]]


class Progress(TypedDict):
    """Number of items of a bulk request that are being exported, are synced, or failed."""

    moving: int
    synced: int
    failed: int


class WholeClick(TypedDict):
    """The outcome of a bulk request and the progress of its export."""

    id: UUID
    company_id: int
    project_id: int | None
    item_type: str
    action: str
    created_by: Person | None
    created_at: datetime
    done: int
    refused: list[RefusedRecord]
    progress: Progress
    waits: Waits | None
