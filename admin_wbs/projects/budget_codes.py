"""All writes to the budget codes of projects: one item for each segment of the structure.

A combination is there once per project: who gives it again changes its description. Segments that
are not required may be left out. What a budget code uses is not deleted, and keeps its code.

Lock order: the account, as whoever changes its structure does; the project, which holds its cost
codes and sub jobs; the custom segments, then the cost types, each in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import (
    CostType,
    ProjectCostCode,
    Segment,
    SegmentItem,
    SubJob,
    WbsCode,
    WbsCodeItem,
)
from admin_wbs.models.node import BATCH, batches
from admin_wbs.segments import default_structure
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Note, changes, note

WBS_CODE = "wbs_code"
Kind = Segment.Kind
# Kind of a segment -> the column that holds its item.
COLUMN = {
    Kind.COST_CODE.value: "cost_code",
    Kind.COST_TYPE.value: "cost_type",
    Kind.SUB_JOB.value: "sub_job",
    Kind.CUSTOM.value: "item",
}
ITEMS = "segment_items"


@dataclass(eq=False)
class WbsCodeRow:
    """A budget code as it is to be: pairs of segment and item id. No description: as it is.

    ``pk`` is set when it is stored; ``errors`` gets what stands against it, by field.
    """

    items: Sequence[tuple[int, int]]
    description: str | None = None
    pk: int | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, why: str) -> None:
        """Note what stands against its items."""
        self.errors.setdefault(ITEMS, []).append(why)

    @property
    def combination(self) -> str:
        """Its items, the same for the same ones in any order."""
        return ",".join(f"{segment}:{item}" for segment, item in sorted(self.items))


@dataclass(frozen=True)
class Flat:
    """A budget code in one line: its codes, and the names of its items."""

    code: str
    name: str


@dataclass(frozen=True)
class _Item:
    code: str
    active: bool


_Known = Mapping[tuple[int, int], _Item]


@transaction.atomic
def store(project: Project, rows: Sequence[WbsCodeRow], *, by: User) -> None:
    """Create budget codes, and describe those that are there; a bad row stops no other.

    Each row gets its ``pk`` or errors. The number of statements grows only with each batch.
    """
    default_structure.lock(project.account_id)
    _lock(project)
    segments = {one.pk: one for one in default_structure.of_project(project)}
    for row in rows:
        _check_segments(row, segments)
    known = _items(project, [row for row in rows if not row.errors], segments)
    for row in rows:
        _check_items(row, known, segments)
    good = [row for row in rows if not row.errors]
    stored = _stored(project, {row.combination for row in good})
    for row in good:
        if row.combination not in stored:
            _check_active(row, known)
    good = [row for row in good if not row.errors]
    new = _create(project, good, stored, segments)
    for row in good:
        row.pk = stored[row.combination].pk
    _note_new(project, new, stored, segments, known, by=by)
    _describe(project, [row for row in good if row not in new], stored, by=by)


@transaction.atomic
def change(
    one: WbsCode, *, description: str | None = None, active: bool | None = None, by: User
) -> None:
    """Change the description, or whether it is offered; None leaves it.

    :raises SegmentRefused: where it has gone.
    """
    _lock(one.project)
    stored: WbsCode | None = WbsCode.objects.filter(pk=one.pk).first()
    if stored is None:
        raise SegmentRefused("The budget code has been deleted.")
    given = {"description": description, "is_active": active}
    after = {name: value for name, value in given.items() if value is not None}
    changed = changes({name: getattr(stored, name) for name in after}, after)
    if changed:
        WbsCode.objects.filter(pk=stored.pk).update(**after, updated_at=Now())
        _note_changes(one.project, {stored.pk: changed}, by=by)


@transaction.atomic
def switch(project: Project, ids: Iterable[int], *, active: bool, by: User) -> None:
    """Make budget codes active or inactive, all or none.

    :raises SegmentRefused: naming those that the project does not have.
    """
    _lock(project)
    wanted, found = set(ids), dict[int, bool]()
    for some in batches(wanted):
        rows = WbsCode.objects.filter(project=project, pk__in=some)
        found |= dict(rows.values_list("pk", "is_active"))
    if found.keys() != wanted:
        missing = ", ".join(str(pk) for pk in sorted(wanted - found.keys())[:10])
        raise SegmentRefused(f"No budget codes of the project: {missing}.")
    going = [pk for pk, is_active in found.items() if is_active != active]
    for some in batches(going):
        WbsCode.objects.filter(pk__in=some).update(is_active=active, updated_at=Now())
    _note_changes(project, {pk: {"is_active": [not active, active]} for pk in going}, by=by)


def flat(project: Project, pks: Iterable[int]) -> dict[int, Flat]:
    """Budget codes in one line, by id, in the order of the project's segments.

    Empty where the project's budget code has none of its segments any more.
    """
    wanted = list(pks)
    items: dict[int, list[tuple[str, str]]] = {pk: [] for pk in wanted}
    for some in batches(wanted):
        rows = WbsCodeItem.objects.filter(wbs_code__in=some, segment__of_projects__project=project)
        ordered = rows.named().order_by("segment__of_projects__position")
        lines = ordered.values_list("wbs_code_id", "code", "name")  # type: ignore[misc]  # annotated
        for pk, code, name in lines:
            items[pk].append((code, name))
    return {
        pk: Flat(*(default_structure.JOINT.join(one[part] for one in found) for part in (0, 1)))
        for pk, found in items.items()
    }


def _lock(project: Project) -> None:
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))


def _check_segments(row: WbsCodeRow, segments: Mapping[int, Segment]) -> None:
    """One item of each segment at most, and of each that is required."""
    named = [segment for segment, _item in row.items]
    for pk in dict.fromkeys(named):
        if pk not in segments:
            row.refuse(f"{pk} is no segment of the project's budget code")
        elif named.count(pk) > 1:
            row.refuse(
                f"{segments[pk]} is named {named.count(pk)} times; a code has one item of it"
            )
    for pk, segment in segments.items():
        if segment.is_required and pk not in named:
            row.refuse(f"{segment} is missing")


def _items(
    project: Project, rows: Iterable[WbsCodeRow], segments: Mapping[int, Segment]
) -> dict[tuple[int, int], _Item]:
    """Those of the named items that the project has; held until the end of the transaction."""
    wanted: dict[int, set[int]] = {}
    for row in rows:
        for segment, item in row.items:
            wanted.setdefault(segment, set()).add(item)
    custom = [pk for pk in wanted if segments[pk].is_custom]
    list(Segment.objects.select_for_update(no_key=True).filter(pk__in=custom).order_by("pk"))
    found: dict[tuple[int, int], _Item] = {}
    for segment, ids in wanted.items():
        for some in batches(ids):
            rows_of = _items_of(project, segments[segment], some)
            found |= {(segment, pk): _Item(code, active) for pk, code, active in rows_of}
    return found


def _items_of(
    project: Project, segment: Segment, ids: Sequence[int]
) -> list[tuple[int, str, bool]]:
    """Id, code and whether it is offered, of items that a project can use."""
    columns: tuple[str, str, str] = ("pk", "full_code", "is_active")
    rows: Any = SegmentItem.objects.filter(segment=segment)
    if segment.kind == Kind.COST_CODE:
        rows = ProjectCostCode.objects.filter(project=project)
        columns = ("pk", "cost_code__full_code", "cost_code__is_active")
    elif segment.kind == Kind.SUB_JOB:
        rows, columns = SubJob.objects.filter(project=project), ("pk", "code", "is_active")
    elif segment.kind == Kind.COST_TYPE:
        types = CostType.objects.select_for_update(no_key=True).order_by("pk")
        of_account = types.filter(account=project.account_id, pk__in=ids)
        return [(pk, code, True) for pk, code in of_account.values_list("pk", "code")]
    return list(rows.filter(pk__in=ids).values_list(*columns))


def _check_items(row: WbsCodeRow, known: _Known, segments: Mapping[int, Segment]) -> None:
    for segment, item in row.items if not row.errors else ():
        if (segment, item) not in known:
            row.refuse(f"{item} is no item of {segments[segment]} on this project")


def _check_active(row: WbsCodeRow, known: _Known) -> None:
    for pair in row.items:
        if not known[pair].active:
            row.refuse(f"{known[pair].code} is inactive")


def _stored(project: Project, combinations: Iterable[str]) -> dict[str, WbsCode]:
    """The budget codes that are there, by combination."""
    wanted = sorted(combinations)
    found: dict[str, WbsCode] = {}
    rows = WbsCode.objects.filter(project=project)
    for start in range(0, len(wanted), BATCH):
        some = rows.filter(combination__in=wanted[start : start + BATCH])
        found |= {one.combination: one for one in some}
    return found


def _create(
    project: Project,
    rows: Iterable[WbsCodeRow],
    stored: dict[str, WbsCode],
    segments: Mapping[int, Segment],
) -> list[WbsCodeRow]:
    """Store the first row of each combination that is not there, and put it among ``stored``."""
    new: dict[str, WbsCodeRow] = {}
    for row in rows:
        if row.combination not in stored:
            new.setdefault(row.combination, row)
    made = {
        key: WbsCode(project=project, combination=key, description=row.description or "")
        for key, row in new.items()
    }
    WbsCode.objects.bulk_create(made.values(), batch_size=BATCH)
    items = (
        WbsCodeItem(
            wbs_code=made[key],
            segment_id=segment,
            **{f"{COLUMN[segments[segment].kind]}_id": item},
        )
        for key, row in new.items()
        for segment, item in row.items
    )
    WbsCodeItem.objects.bulk_create(items, batch_size=BATCH)
    stored |= made
    return list(new.values())


def _describe(
    project: Project,
    rows: Iterable[WbsCodeRow],
    stored: Mapping[str, WbsCode],
    *,
    by: User,
) -> None:
    """Give codes that are there the descriptions they come with; the last one stays."""
    changed: dict[int, dict[str, list[Any]]] = {}
    going: dict[int, WbsCode] = {}
    for row in rows:
        one = stored[row.combination]
        if row.description is not None and row.description != one.description:
            before = changed.get(one.pk, {}).get("description", [one.description])[0]
            changed[one.pk] = {"description": [before, row.description]}
            one.description, one.updated_at = row.description, timezone.now()
            going[one.pk] = one
    WbsCode.objects.bulk_update(going.values(), ["description", "updated_at"], batch_size=BATCH)
    _note_changes(project, changed, by=by)


def _note_new(
    project: Project,
    rows: Iterable[WbsCodeRow],
    stored: Mapping[str, WbsCode],
    segments: Mapping[int, Segment],
    known: _Known,
    *,
    by: User,
) -> None:
    place = {pk: number for number, pk in enumerate(segments)}
    notes = []
    for row in rows:
        ordered = sorted(row.items, key=lambda pair: place[pair[0]])
        label = default_structure.JOINT.join(known[pair].code for pair in ordered)
        data = {**_of(project), "description": row.description or ""}
        notes.append(Note(WBS_CODE, stored[row.combination].pk, label, "created", data=data))
    note(project.account_id, notes, by=by)


def _note_changes(
    project: Project, changed: Mapping[int, Mapping[str, list[Any]]], *, by: User
) -> None:
    labels = flat(project, changed)
    notes = [
        Note(WBS_CODE, pk, labels[pk].code, "edited", data={**_of(project), "changes": dict(made)})
        for pk, made in changed.items()
    ]
    note(project.account_id, notes, by=by)


def _of(project: Project) -> dict[str, Any]:
    return {"project": str(project), "project_id": project.pk}
