"""Procore's names for ERP states and item types, and the filters that take them.

See docs/design/erp-integrations-states.md, "Words of the API".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Model, Q, QuerySet

from erp_integrations.adapters.base import Operation
from erp_integrations.models.record_types import Sendable
from erp_integrations.models.states import STATES, State
from erp_integrations.workflow.badges import UPDATE_BACK
from erpbridge.rest.requests.filters import WrongValue, filtering

NOT_IN_ERP, SYNCED = "not_in_erp", "synced"
WORDS: Mapping[str, str] = {state: words.rest for state, words in STATES.items()}
# Procore's whole list, in its order; "exportging" is Procore's own spelling, taken on input.
STATUSES = (
    "not_in_erp",
    "ready_to_export",
    "exporting",
    "failed_to_export",
    "rejected",
    "invalid",
    "synced",
    "not_integrated",
)
MISSPELLED = {"exportging": "exporting"}
# Our name of a record type -> the item type of Procore's external data.
ITEM_TYPES = {"cost_code": "standard_cost_code"}
_ENTITIES = {name: entity for entity, name in ITEM_TYPES.items()}


def item_type(entity: str) -> str:
    """Return Procore's name of a record type."""
    return ITEM_TYPES.get(entity, entity)


def of_item(state: str, operation: str) -> str:
    """Return the ``erp_status`` of an item.

    A retrieved update is ``synced``, since the record is in the ERP as before.
    """
    if state == State.RETRIEVED and operation == Operation.UPDATE:
        return SYNCED
    return WORDS[state]


def of_record(record: Sendable) -> str:
    """Return the ``erp_status`` of a record; needs no query."""
    if record.origin_id and record.erp_state in UPDATE_BACK:
        return SYNCED
    if record.erp_state:
        return WORDS[record.erp_state]
    return SYNCED if record.origin_id else NOT_IN_ERP


@filtering(f"One or several of: {', '.join(STATUSES)}.")
def by_status(items: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Filter items by ``erp_status``, the reverse of :func:`of_item`.

    :raises WrongValue: for an unknown word.
    """
    statuses = {MISSPELLED.get(word, word) for word in _listed(values)}
    # Words that no item ever has, such as "invalid", are valid and match nothing.
    unknown = statuses - set(STATUSES)
    if unknown:
        raise WrongValue(f"takes one of: {', '.join(STATUSES)}")
    states = [state for state, word in WORDS.items() if word in statuses]
    matching = Q(state__in=[state for state in states if state != State.RETRIEVED])
    # RETRIEVED depends on the operation too, as in of_item().
    for word, operation in ((NOT_IN_ERP, Operation.CREATE), (SYNCED, Operation.UPDATE)):
        if word in statuses:
            matching |= Q(state=State.RETRIEVED, operation=operation)
    return items.filter(matching)


@filtering(f"One or several of: {', '.join(State.values)}.")
def by_state(items: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Filter items by erpbridge's own states, which are finer.

    :raises WrongValue: for an unknown state.
    """
    states = list(_listed(values))
    if set(states) - set(State.values):
        raise WrongValue(f"takes one of: {', '.join(State.values)}")
    return items.filter(state__in=states)


@filtering("A type of record, as item_type names it.")
def by_type(rows: QuerySet[Model], values: list[str]) -> QuerySet[Model]:
    """Filter by record type, by Procore's name or ours; an unknown one matches nothing."""
    return rows.filter(entity__in=[_ENTITIES.get(word, word) for word in _listed(values)])


def _listed(values: Iterable[str]) -> list[str]:
    words = (word.strip() for value in values for word in value.split(","))
    # PostgreSQL refuses NUL characters in text.
    return [word.replace("\x00", "") for word in words if word]
