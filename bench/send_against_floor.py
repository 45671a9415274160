"""Sending a list of cost codes in one click against the database's own floor for the same rows.

The floor is an INSERT .. SELECT into each table that Send writes, from copies of the very rows,
and an UPDATE of the codes: it checks nothing, and no row travels to or from the program.
"""

from __future__ import annotations

from django.db import connection as db
from django.db import transaction

from admin_wbs.models import CodeList, CostCode
from bench import ground
from bench.codes import add_codes, send_all
from bench.ground import Ground
from bench.measure import Aim, Result, clock, medians
from erp_integrations.models import Item
from erpbridge.audit.models import Event

SIZE = 10_000
EVENTS = "SELECT {columns} FROM {events} WHERE account_id = %(account)s AND verb = 'send'"
COPY = (
    "CREATE TEMPORARY TABLE sent_items AS SELECT * FROM {items} WHERE account_id = %(account)s",
    f"CREATE TEMPORARY TABLE sent_events AS {EVENTS}",
    "ANALYZE sent_items",
    "ANALYZE sent_events",
)
FLOOR = (
    "INSERT INTO {items} SELECT * FROM sent_items",
    "INSERT INTO {events} ({columns}) SELECT {columns} FROM sent_events",
    "UPDATE {codes} SET erp_state = 'ready' WHERE account_id = %(account)s",
)
BACK = (
    "DELETE FROM {items} WHERE account_id = %(account)s",
    "UPDATE {codes} SET erp_state = '' WHERE account_id = %(account)s",
    "VACUUM ANALYZE {items}, {codes}, {events}",
)


def run(size: int = SIZE) -> Result:
    """Time both for ``size`` codes, which are put back after each."""
    place = ground.ground()
    code_list = add_codes(place, ground.connect(place), size)
    send_all(place, code_list, size)
    _execute(place, *COPY)
    floor, click = "INSERT .. SELECT of the same rows", "one click"
    return Result(
        name="send_against_floor",
        what=f"Send {size:,} cost codes",
        baseline=floor,
        measured=click,
        figures=medians(
            {floor: lambda: _floor(place), click: lambda: _click(place, code_list, size)}
        ),
        aims={click: Aim(most=6)},
    )


def _click(place: Ground, code_list: CodeList, size: int) -> float:
    _execute(place, *BACK)
    return clock(lambda: send_all(place, code_list, size))


def _floor(place: Ground) -> float:
    _execute(place, *BACK)

    def all_at_once() -> None:
        with transaction.atomic():
            _execute(place, *FLOOR)

    return clock(all_at_once)


def _execute(place: Ground, *statements: str) -> None:
    names = {
        "items": Item._meta.db_table,
        "codes": CostCode._meta.db_table,
        "events": Event._meta.db_table,
        "columns": ", ".join(
            field.column for field in Event._meta.concrete_fields if not field.primary_key
        ),
    }
    with db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(**names), {"account": place.account.pk})
