"""What the queue and the clicks answer, and what they take, for the description of the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict
from uuid import UUID

from erpbridge.rest.schema.operations import Schema, an_object

TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "integer"}
REVISION: Schema = {"type": ["integer", "null"]}
ACCEPTANCE: Schema = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
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
NOTE: Schema = {"type": ["string", "null"], "maxLength": 1_000}
SEND_BODY = an_object({"revision": REVISION, "note": NOTE})


def rows_body(row: Schema, **beside: Schema) -> Schema:
    """A body whose ``updates`` are such rows."""
    rows: Schema = {"type": "array", "items": row, "maxItems": 1_000}
    return an_object({"updates": rows, **beside}, ["updates"])


MANY_BODY = rows_body(an_object({"id": ID, "revision": REVISION}, ["id"]), note=NOTE)
ACCEPT_MANY_BODY = rows_body(
    an_object({"id": ID, "digest": TEXT, "acceptance": ACCEPTANCE}, ["id", "digest"]),
    acceptance=ACCEPTANCE,
)
REJECT_MANY_BODY = rows_body(an_object({"id": ID, "reason": TEXT}, ["id"]), reason=TEXT)


class Person(TypedDict):
    """A person in passing."""

    id: int
    name: str
    login: str


class ConnectionName(TypedDict):
    """An ERP connection in passing."""

    id: int
    name: str


class ItemError(TypedDict):
    """Why an item failed, and what to do."""

    kind: str | None
    field: str | None
    message: str
    advice: str | None


class Waits(TypedDict):
    """Why something waits, and when it is tried next; null: a person has to act first."""

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
    """A value that the ERP knows."""

    key: str
    value: str


class Rule(TypedDict):
    """A limit of the ERP."""

    kind: str
    value: Any


class AcceptanceFieldRow(TypedDict):
    """What accounting fills in."""

    name: str
    label: str
    required: bool
    help: str | None
    rules: list[Rule]
    choices: list[Choice] | None
    value: str | None


class PreviewField(TypedDict):
    """A value as it will stand in the ERP."""

    name: str
    value: Any
    source: str | None
    unchanged: bool


class Preview(TypedDict):
    """What will be written to the ERP."""

    fields: list[PreviewField]
    text: str


class Change(TypedDict):
    """A value that differs from what the ERP took last."""

    label: str
    old: Any
    new: Any


class MatchedField(TypedDict):
    """A field of a record of the ERP, beside what was sent."""

    label: str
    in_erp: str
    sent: str
    differs: bool


class ErpMatch(TypedDict):
    """A record of the ERP that may be the one that waits, by what it is the same.

    ``linked_to``: the record of ours that it is linked to already.
    """

    origin_id: str
    origin_code: str
    label: str
    same: list[str]
    linked_to: str | None
    fields: list[MatchedField]


class NotCompared(TypedDict):
    """An ID of the ERP that a program named, of the record or of its parent: a person has to say
    whether it is the right one.
    """

    item_id: int
    label: str
    origin_id: str
    message: str


class RejectedBefore(TypedDict):
    """What was said the last time that the record came, and what the sender changed since."""

    by: Person | None
    at: datetime | None
    reason: str
    changes: list[Change]


class Attempt(TypedDict):
    """One try to export."""

    id: int
    number: int
    opened_at: datetime
    answered_at: datetime | None
    outcome: str
    error_kind: str | None
    origin_id: str | None
    answer_excerpt: str | None


class ItemEvent(TypedDict):
    """Something that happened to an item."""

    at: datetime
    actor: Person | None
    event: str
    words: str
    note: str


class WholeItem(QueueItem):
    """An acceptance item with everything that its page shows."""

    standing: str | None
    payload: dict[str, Any]
    acceptance: dict[str, Any]
    acceptance_fields: list[AcceptanceFieldRow]
    preview: Preview | None
    changes: list[Change]
    rejected_before: RejectedBefore | None
    erp_matches: list[ErpMatch]
    not_compared: list[NotCompared]
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
    """A row of a call, as sent, with what is wrong with it."""

    id: NotRequired[Any]
    errors: dict[str, list[str]]


class ManyDecided(TypedDict):
    """What became of each row; the clicks by which the others were decided."""

    entities: list[QueueItem]
    errors: list[RefusedClick]
    request_ids: list[UUID]


class RecordState(TypedDict):
    """Where a record stands with the ERP."""

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
    """Why a button is grey."""

    field: str
    rule: str
    message: str


class RecordStanding(RecordState):
    """Where a record stands, and what the caller can do about it."""

    can_send: bool
    can_retrieve: bool
    reasons: list[Reason]
    locked: str | None
    waits: Waits | None


class Clicked(RecordState):
    """Where a record stands after a click on it."""

    request_id: UUID


class ManyClicked(TypedDict):
    """What became of each row, and the click."""

    entities: list[RecordState]
    errors: list[RefusedClick]
    request_id: UUID


class RefusedRecord(TypedDict):
    """A record that a click did not take."""

    item_id: int
    label: str
    errors: dict[str, list[str]]


class Progress(TypedDict):
    """How far the export of a click is."""

    moving: int
    synced: int
    failed: int


class WholeClick(TypedDict):
    """What one click did."""

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
