"""Accepting in one click against one SQL statement that writes the same.

The statement checks nothing and knows all values beforehand: it writes items, records and audit
events. Beside it, for scale, a bare UPDATE of the items alone.
"""

from __future__ import annotations

from django.db import connection as db

from bench import ground
from bench.ground import Ground
from bench.measure import Aim, Result, clock, medians
from directory.models import Company
from erp_integrations.models import Item
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erpbridge.audit.models import Event

SIZE = 10_000
TABLES = {
    "items": Item._meta.db_table,
    "companies": Company._meta.db_table,
    "events": Event._meta.db_table,
}
UPDATE = """
UPDATE {items} SET state = 'queued', intent = gen_random_uuid(), decided_by_id = %(user)s,
    decided_at = now(), decided_fence = fence, attempts = 0,
    erp_key = 'V' || id, erp_key_compared = 'v' || id,
    acceptance = jsonb_build_object('vendor_type', 'SUB', 'vendor_id', 'V' || id)
WHERE account_id = %(account)s AND state = 'ready'
"""
EVERYTHING = f"""
WITH accepted AS ({UPDATE} RETURNING *),
shown AS (
    UPDATE {{companies}} SET erp_state = 'queued'
    WHERE id IN (SELECT record_id FROM accepted))
INSERT INTO {{events}} (account_id, at, actor_id, entity, subject_id, label, verb, from_state,
    to_state, note, data, request_id)
SELECT account_id, now(), %(user)s, entity, record_id, label, 'accept', 'ready', 'queued', '',
    jsonb_build_object('item', public_id, 'revision', revision, 'digest', digest), ''
FROM accepted
"""
BACK = (
    "UPDATE {items} SET state = 'ready', intent = NULL, erp_key = '', acceptance = '{{}}'"
    " WHERE account_id = %(account)s",
    "UPDATE {companies} SET erp_state = 'ready' WHERE account_id = %(account)s",
    "VACUUM ANALYZE {items}, {companies}, {events}",
)


def run(size: int = SIZE) -> Result:
    """Time the three for ``size`` items, which are put back after each."""
    place = ground.ground()
    ground.connect(place)
    decisions = ground.send_all(place, ground.add_companies(place, size))
    bare_update, equal_statement, one_click = (
        "one bare UPDATE",
        "one statement doing the same",
        "one click",
    )

    def click() -> float:
        _execute(place, *BACK)
        return clock(lambda: _accept(place, decisions))

    def statement(text: str) -> float:
        _execute(place, *BACK)
        return clock(lambda: _execute(place, text))

    return Result(
        name="accept",
        what=f"Accept {size:,} items, with audit",
        baseline=equal_statement,
        measured=one_click,
        figures=medians(
            {
                bare_update: lambda: statement(UPDATE),
                equal_statement: lambda: statement(EVERYTHING),
                one_click: click,
            }
        ),
        aims={one_click: Aim(most=5)},
    )


def _accept(place: Ground, decisions: list[Decision]) -> None:
    result = accept_services.accept(decisions, entity="vendor", access=place.pat)
    if result.done != len(decisions):
        raise RuntimeError(f"Accepted {result.done} of {len(decisions)}: {result.refused[:3]}")


def _execute(place: Ground, *statements: str) -> None:
    parameters = {"account": place.account.pk, "user": place.pat.user.pk}
    with db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(**TABLES), parameters)
