"""Parse the bodies of send and retrieve calls and build their responses.

The API of the record apps uses it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from django.core.exceptions import ValidationError

from erp_integrations.adapters.base import Problem
from erp_integrations.api import errors as api_errors
from erp_integrations.api import serializers
from erp_integrations.api.bulk_rows import ItemRow
from erp_integrations.models import Request
from erp_integrations.models.record_types import record_type
from erp_integrations.workflow.bulk_requests import Done
from erp_integrations.workflow.send.services import LONGEST_NOTE
from erpbridge.access.policy import Access
from erpbridge.rest.errors import ApiError, Invalid
from erpbridge.rest.requests import bodies
from erpbridge.rest.requests.rows import many_answer
from erpbridge.rest.responses import JsonAnswer
from erpbridge.rest.sync import NO_SUCH_ID

NOTE = bodies.long_text(LONGEST_NOTE)


def revision_of(body: Mapping[str, object]) -> int | None:
    """Return the revision of the record that the caller has read; None if the body has none.

    :raises Invalid: if it is not a whole number.
    """
    try:
        revision: int | None = bodies.whole(body.get("revision"))
    except ValidationError as error:
        raise Invalid({"revision": list(error.messages)}) from None
    return revision


def note_of(body: Mapping[str, object]) -> str:
    """Return the sender's note to accounting.

    :raises Invalid: if it is not text or longer than ``LONGEST_NOTE``.
    """
    values, errors = bodies.read({"note": body.get("note")}, {"note": NOTE})
    if errors:
        raise Invalid(errors)
    return str(values["note"])


def for_one(entity: str, pk: int, result: Done, access: Access, status: int) -> JsonAnswer:
    """Build the response to a bulk request on a single record: its ERP state and the request's id.

    :raises ApiError: if the record was refused.
    """
    # Sending a cost code takes its ancestors along, so others may be refused too.
    for refusal in result.refused:
        if refusal.record_id == pk:
            raise api_errors.refused(refusal.problems)
    records = serializers.records(entity, [pk], access)[pk]
    return JsonAnswer(records | {"request_id": str(result.request_id)}, status)


def for_list(result: Done, status: int) -> JsonAnswer:
    """Build the response to a bulk request on a whole list: counts, and the refused rows."""
    click = Request.objects.select_related("by").get(pk=result.request_id)
    return JsonAnswer(serializers.click(click), status)


def refused(problems: Sequence[Problem]) -> ApiError:
    """Return the error for an action that the disabled button would not have allowed."""
    return api_errors.refused(problems)


def for_rows(
    entity: str,
    rows: Sequence[ItemRow],
    click: Callable[[Sequence[int], Mapping[int, int]], Done],
    access: Access,
) -> JsonAnswer:
    """Run a bulk request on the records of ``rows`` and report the outcome of each row.

    :param click: called with record ids, and with the revision that the caller has read of each.
    """
    kind = record_type(entity)
    ids = [row.pk for row in rows if row.pk is not None and not row.errors]
    # Ids that the caller cannot see are reported like ids that do not exist
    # (docs/design/permissions.md, "Who does what").
    stored_revisions = dict(kind.visible(access).filter(pk__in=ids).values_list("pk", "revision"))
    read_revisions: dict[int, int] = {}
    for row in rows:
        if row.errors:
            continue
        if row.pk is None or row.pk not in stored_revisions:
            row.refuse(NO_SUCH_ID)
            continue
        try:
            revision = revision_of(row.given)
        except Invalid as error:
            row.refuse(error.errors)
            continue
        # Without a revision in the row, the current one counts as read.
        read_revisions[row.pk] = stored_revisions[row.pk] if revision is None else revision
    result = click(sorted(read_revisions), read_revisions)
    reasons = {
        refusal.record_id: api_errors.by_field(refusal.problems) for refusal in result.refused
    }
    for row in rows:
        if not row.errors and row.pk in reasons:
            row.refuse(reasons[row.pk])
    shape = partial(serializers.records, entity, access=access)
    return many_answer(rows, shape, request_id=str(result.request_id))
