"""What a click that sends or retrieves answers; record apps use it through the seam."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from erp_integrations.adapters.base import Problem
from erp_integrations.api import errors as api_errors
from erp_integrations.api import serializers
from erp_integrations.api.bulk_rows import Row
from erp_integrations.models import Request
from erp_integrations.models.record_types import record_type
from erp_integrations.workflow.bulk_requests import Done
from erp_integrations.workflow.send.services import LONGEST_NOTE
from erpbridge.access.policy import Access
from erpbridge.rest.errors import ApiError, Invalid
from erpbridge.rest.requests import bodies
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.sync import NO_SUCH_ID

NOTE = bodies.long_text(LONGEST_NOTE)


def revision_of(given: Mapping[str, Any]) -> int | None:
    """The revision of the record as the caller saw it; None: as it is now.

    :raises Invalid: for what is no whole number.
    """
    try:
        found: int | None = bodies.whole(given.get("revision"))
    except ValidationError as error:
        raise Invalid({"revision": list(error.messages)}) from None
    return found


def note_of(given: Mapping[str, Any]) -> str:
    """What the sender says to accounting. :raises Invalid: for what is no text, or too long."""
    values, errors = bodies.read({"note": given.get("note")}, {"note": NOTE})
    if errors:
        raise Invalid(errors)
    return str(values["note"])


def one(entity: str, pk: int, done: Done, access: Access, status: int) -> JsonAnswer:
    """Where the record stands after a click on it. :raises ApiError: where it was refused."""
    for refusal in done.refused:
        if refusal.record_id == pk:
            raise api_errors.refused(refusal.problems)
    shown = serializers.records(entity, [pk], access)[pk]
    return JsonAnswer(shown | {"request_id": str(done.request_id)}, status)


def whole(done: Done, status: int) -> JsonAnswer:
    """What a click on a whole list did: counts, and every refused row with its reasons."""
    found = Request.objects.select_related("by").get(pk=done.request_id)
    return JsonAnswer(serializers.click(found), status)


def refused(problems: Sequence[Problem]) -> ApiError:
    """The answer to a click that a grey button would not have allowed."""
    return api_errors.refused(problems)


def many(
    entity: str,
    rows: Sequence[Row],
    click: Callable[[Sequence[int], Mapping[int, int]], Done],
    access: Access,
) -> JsonAnswer:
    """Click on the records of ``rows``, and tell what became of each."""
    kind = record_type(entity)
    ids = [row.pk for row in rows if row.pk is not None and not row.errors]
    known = dict(kind.visible(access).filter(pk__in=ids).values_list("pk", "revision"))
    seen: dict[int, int] = {}
    for row in rows:
        if row.errors:
            continue
        if row.pk is None or row.pk not in known:
            row.errors = NO_SUCH_ID
            continue
        try:
            given = revision_of(row.given)
        except Invalid as error:
            row.errors = dict(error.errors)  # type: ignore[arg-type]
            continue
        seen[row.pk] = known[row.pk] if given is None else given
    done = click(sorted(seen), seen)
    reasons = {one.record_id: api_errors.by_field(one.problems) for one in done.refused}
    for row in rows:
        if not row.errors and row.pk in reasons:
            row.errors = reasons[row.pk]
    taken = [row.pk for row in rows if row.pk is not None and not row.errors]
    shown = serializers.records(entity, taken, access)
    return JsonAnswer(
        {
            "entities": [shown[pk] for pk in taken if pk in shown],
            "errors": [{**row.given, "errors": row.errors} for row in rows if row.errors],
            "request_id": str(done.request_id),
        }
    )
