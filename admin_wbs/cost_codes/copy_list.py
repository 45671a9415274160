"""Copying the codes of one list into another, with the codes they stand under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import Stale
from admin_wbs.models import CodeList
from admin_wbs.models.full_code import full_code
from erpbridge.access.models import User
from erpbridge.db.text import key


@dataclass(frozen=True)
class Plan:
    """What a copy would do.

    ``rows``: path and description of each new code, parents first; ``there``: how many the list
    has already, which stay as they are; ``clashing``: full codes that it has in other tiers, and
    what is below them; ``inactive``: how many are left out for being inactive.
    """

    rows: Sequence[tuple[Sequence[str], str]]
    there: int
    clashing: Sequence[str]
    inactive: int


def plan(source: CodeList, target: CodeList) -> Plan:
    """Compare two lists; two queries, whatever their size. Codes are compared by their keys."""
    held = {code: len(path) for code, path in target.codes.values_list("code_key", "path")}
    given = list(source.codes.order_by("sort_path").values_list("path", "description", "is_active"))
    wanted = {
        full_code(path[: depth + 1])
        for path, _, is_active in given
        if is_active
        for depth in range(len(path))
    }
    rows, clashing, inactive = [], [], 0
    there = 0
    for path, description, _ in given:
        joined = full_code(path)
        if joined not in wanted:
            inactive += 1
        elif _clashes(path, held):
            clashing.append(joined)
        elif key(joined) in held:
            there += 1
        else:
            rows.append((path, description))
    return Plan(rows, there, clashing, inactive)


def _clashes(path: Sequence[str], held: dict[str, int]) -> bool:
    """Whether the code, or one above it, is spelled the same in other tiers."""
    above = (path[: depth + 1] for depth in range(len(path)))
    return any(held.get(key(full_code(some)), len(some)) != len(some) for some in above)


@transaction.atomic
def copy(source: CodeList, target: CodeList, *, seen: tuple[int, int], by: User) -> int:
    """Copy what is new, and say how many codes that were; nothing of ``target`` is changed.

    :param seen: the revisions of source and target that the person was shown the counts of.
    :raises ReadOnly: where the target takes no changes.
    :raises Stale: when either was changed since.
    """
    # Locked in one order, for two people may copy crosswise.
    both = CodeList.objects.filter(pk__in=[source.pk, target.pk]).order_by("pk")
    now = {one.pk: one.revision for one in both.select_for_update(no_key=True)}
    if (now[source.pk], now[target.pk]) != seen:
        raise Stale("A list was changed since you looked at the counts. Here they are as of now.")
    list_services.open_for_change(target.pk, by=by)
    return len(code_services.store_many(target, plan(source, target).rows, by=by))
