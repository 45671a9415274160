"""Copy the codes of one list into another, together with the codes above them."""

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

    ``rows``: path and description of each new code, parents first. ``there``: number of codes that
    the target has already. ``clashing``: full codes that the target has in other tiers, and what is
    below them. ``inactive``: number of inactive codes that are not copied.
    """

    rows: Sequence[tuple[Sequence[str], str]]
    there: int
    clashing: Sequence[str]
    inactive: int


def plan(source: CodeList, target: CodeList) -> Plan:
    """Compare two lists by the keys of their codes; two queries, whatever their size."""
    # A full code may be split in two ways: 01-100 is one tier, or 100 under 01.
    depths = {code: len(path) for code, path in target.codes.values_list("code_key", "path")}
    codes = list(source.codes.order_by("sort_path").values_list("path", "description", "is_active"))
    # What is above an active code is copied with it, for a code cannot be without its parents.
    to_copy = {
        full_code(path[: depth + 1])
        for path, _, is_active in codes
        if is_active
        for depth in range(len(path))
    }
    rows, clashing, inactive = [], [], 0
    existing = 0
    for path, description, _ in codes:
        joined = full_code(path)
        if joined not in to_copy:
            inactive += 1
        elif _clashes(path, depths):
            clashing.append(joined)
        elif key(joined) in depths:
            existing += 1
        else:
            rows.append((path, description))
    return Plan(rows, existing, clashing, inactive)


def _clashes(path: Sequence[str], depths: dict[str, int]) -> bool:
    """True if the target spells the code, or one above it, the same in other tiers."""
    prefixes = (path[: depth + 1] for depth in range(len(path)))
    return any(
        depths.get(key(full_code(prefix)), len(prefix)) != len(prefix) for prefix in prefixes
    )


@transaction.atomic
def copy(source: CodeList, target: CodeList, *, seen: tuple[int, int], by: User) -> int:
    """Copy the new codes; existing codes of ``target`` do not change. Returns how many were copied.

    :param seen: the revisions of source and target on the page that the person confirmed.
    :raises ReadOnly: if the target cannot be changed.
    :raises Stale: if either list was changed since.
    """
    # Lock in id order: two people may copy in opposite directions.
    lists = CodeList.objects.filter(pk__in=[source.pk, target.pk]).order_by("pk")
    revisions = {
        code_list.pk: code_list.revision for code_list in lists.select_for_update(no_key=True)
    }
    if (revisions[source.pk], revisions[target.pk]) != seen:
        raise Stale("A list was changed since you looked at the counts. Here they are as of now.")
    # Only now, because it raises the revision that was compared.
    list_services.open_for_change(target.pk, by=by)
    return len(code_services.store_many(target, plan(source, target).rows, by=by))
