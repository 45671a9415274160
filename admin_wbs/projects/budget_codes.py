"""All writes to the budget codes of projects: one item for each segment of the structure.

A combination exists once per project; creating it again changes its description. Segments that are
not required may be omitted. Items that a budget code uses cannot be deleted or get another code.

Lock order: the account, as in changes of its structure; the project, which guards its cost codes
and sub jobs; the custom segments, then the cost types, each in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
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
from admin_wbs.models.node import BATCH
from admin_wbs.segments import default_structure
from erpbridge.access.models import Project, User
from erpbridge.audit.services import Changes, Note, Verb, changes, note
from erpbridge.db.batches import chunks
from erpbridge.json_values import Json
from erpbridge.rest.requests.rows import Row

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
class WbsCodeRow(Row):
    """A budget code to store: pairs of segment and item id. No description means no change."""

    items: Sequence[tuple[int, int]]
    description: str | None = None

    @property
    def combination(self) -> str:
        """A key of the items that does not depend on their order."""
        return ",".join(f"{segment}:{item}" for segment, item in sorted(self.items))


@dataclass(frozen=True)
class Flat:
    """A budget code in one line: the codes, and the names, of its items."""

    code: str
    name: str


@dataclass(frozen=True)
class _Item:
    code: str
    active: bool


_Known = Mapping[tuple[int, int], _Item]


@transaction.atomic
def store(project: Project, rows: Sequence[WbsCodeRow], *, by: User) -> None:
    """Create budget codes, and change the descriptions of existing ones; bad rows are skipped.

    Each row gets its ``pk`` or errors. The number of SQL statements grows with the batches only.
    """
    # The account, because the segments of the structure must stay until the items are stored.
    default_structure.lock(project.account_id)
    _lock(project)
    segments = {segment.pk: segment for segment in default_structure.of_project(project)}
    for row in rows:
        _check_segments(row, segments)
    items = _items(project, [row for row in rows if not row.errors], segments)
    for row in rows:
        _check_items(row, items, segments)
    good = [row for row in rows if not row.errors]
    stored = _stored(project, {row.combination for row in good})
    for row in good:
        # An existing budget code keeps items that have become inactive since.
        if row.combination not in stored:
            _check_active(row, items)
    good = [row for row in good if not row.errors]
    new = _create(project, good, stored, segments)
    for row in good:
        row.pk = stored[row.combination].pk
    _note_new(project, new, stored, segments, items, by=by)
    # Also a further row of a new combination, whose description then overwrites that of the first.
    _describe(project, [row for row in good if row not in new], stored, by=by)


@transaction.atomic
def change(
    budget_code: WbsCode, *, description: str | None = None, active: bool | None = None, by: User
) -> None:
    """Change the description, or the active flag; None leaves a value as it is.

    :raises SegmentRefused: if the budget code has been deleted.
    """
    _lock(budget_code.project)
    stored: WbsCode | None = WbsCode.objects.filter(pk=budget_code.pk).first()
    if stored is None:
        raise SegmentRefused("The budget code has been deleted.")
    values = {"description": description, "is_active": active}
    after = {name: value for name, value in values.items() if value is not None}
    changed = changes({name: getattr(stored, name) for name in after}, after)
    if changed:
        WbsCode.objects.filter(pk=stored.pk).update(**after, updated_at=Now())
        _note_changes(budget_code.project, {stored.pk: changed}, by=by)


@transaction.atomic
def switch(project: Project, ids: Iterable[int], *, active: bool, by: User) -> None:
    """Make budget codes active or inactive, all or none.

    :raises SegmentRefused: naming codes that the project does not have.
    """
    _lock(project)
    pks, states = set(ids), dict[int, bool]()
    for batch in chunks(sorted(pks)):
        rows = WbsCode.objects.filter(project=project, pk__in=batch)
        states |= dict(rows.values_list("pk", "is_active"))
    if states.keys() != pks:
        missing = ", ".join(str(pk) for pk in sorted(pks - states.keys())[:10])
        raise SegmentRefused(f"No budget codes of the project: {missing}.")
    to_switch = [pk for pk, is_active in states.items() if is_active != active]
    for batch in chunks(sorted(to_switch)):
        WbsCode.objects.filter(pk__in=batch).update(is_active=active, updated_at=Now())
    _note_changes(project, {pk: {"is_active": [not active, active]} for pk in to_switch}, by=by)


def flat(project: Project, pks: Iterable[int]) -> dict[int, Flat]:
    """Id -> the budget code in one line, in the order of the project's segments.

    Empty strings if the project's structure has none of its segments any more.
    """
    code_ids = list(pks)
    # Every code has an entry, also one whose segments have all left the structure.
    items: dict[int, list[tuple[str, str]]] = {pk: [] for pk in code_ids}
    for batch in chunks(sorted(code_ids)):
        rows = WbsCodeItem.objects.filter(wbs_code__in=batch, segment__of_projects__project=project)
        ordered = rows.named().order_by("segment__of_projects__position")
        lines = ordered.values_list("wbs_code_id", "code", "name")  # type: ignore[misc]  # annotated
        for pk, code, name in lines:
            items[pk].append((code, name))
    return {
        pk: Flat(*(default_structure.JOINT.join(pair[part] for pair in pairs) for part in (0, 1)))
        for pk, pairs in items.items()
    }


def _lock(project: Project) -> None:
    # list() runs the query, which takes the lock.
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))


def _check_segments(row: WbsCodeRow, segments: Mapping[int, Segment]) -> None:
    """Require at most one item per segment, and one of each required segment."""
    segment_ids = [segment for segment, _item in row.items]
    for pk in dict.fromkeys(segment_ids):
        if pk not in segments:
            row.refuse({ITEMS: [f"{pk} is not a segment of the project's budget code"]})
        elif segment_ids.count(pk) > 1:
            times = segment_ids.count(pk)
            why = f"{segments[pk]} is named {times} times; a code has one item of it"
            row.refuse({ITEMS: [why]})
    for pk, segment in segments.items():
        if segment.is_required and pk not in segment_ids:
            row.refuse({ITEMS: [f"{segment} is missing"]})


def _items(
    project: Project, rows: Iterable[WbsCodeRow], segments: Mapping[int, Segment]
) -> dict[tuple[int, int], _Item]:
    """The requested items that the project has, locked until the end of the transaction."""
    ids_by_segment: dict[int, set[int]] = {}
    for row in rows:
        for segment, item in row.items:
            ids_by_segment.setdefault(segment, set()).add(item)
    custom = [pk for pk in ids_by_segment if segments[pk].is_custom]
    # Lock the segments, so that none of their items is deleted meanwhile.
    list(Segment.objects.select_for_update(no_key=True).filter(pk__in=custom).order_by("pk"))
    items: dict[tuple[int, int], _Item] = {}
    for segment, ids in ids_by_segment.items():
        for batch in chunks(sorted(ids)):
            item_rows = _items_of(project, segments[segment], batch)
            items |= {(segment, pk): _Item(code, active) for pk, code, active in item_rows}
    return items


def _items_of(
    project: Project, segment: Segment, ids: Sequence[int]
) -> list[tuple[int, str, bool]]:
    """(id, code, active) of items that the project can use."""
    columns: tuple[str, str, str] = ("pk", "full_code", "is_active")
    rows: QuerySet[SegmentItem | ProjectCostCode | SubJob] = SegmentItem.objects.filter(
        segment=segment
    )
    if segment.kind == Kind.COST_CODE:
        rows = ProjectCostCode.objects.filter(project=project)
        columns = ("pk", "cost_code__full_code", "cost_code__is_active")
    elif segment.kind == Kind.SUB_JOB:
        rows, columns = SubJob.objects.filter(project=project), ("pk", "code", "is_active")
    elif segment.kind == Kind.COST_TYPE:
        # Locked, because a cost type can be deleted; there are no inactive ones.
        types = CostType.objects.select_for_update(no_key=True).order_by("pk")
        of_account = types.filter(account=project.account_id, pk__in=ids)
        return [(pk, code, True) for pk, code in of_account.values_list("pk", "code")]
    return list(rows.filter(pk__in=ids).values_list(*columns))


def _check_items(row: WbsCodeRow, items: _Known, segments: Mapping[int, Segment]) -> None:
    for segment, item in row.items if not row.errors else ():
        if (segment, item) not in items:
            row.refuse({ITEMS: [f"{item} is not an item of {segments[segment]} on this project"]})


def _check_active(row: WbsCodeRow, items: _Known) -> None:
    for pair in row.items:
        if not items[pair].active:
            row.refuse({ITEMS: [f"{items[pair].code} is inactive"]})


def _stored(project: Project, combinations: Iterable[str]) -> dict[str, WbsCode]:
    """The existing budget codes, by combination."""
    ordered = sorted(combinations)
    codes: dict[str, WbsCode] = {}
    rows = WbsCode.objects.filter(project=project)
    for chunk in chunks(ordered):
        matches = rows.filter(combination__in=chunk)
        codes |= {code.combination: code for code in matches}
    return codes


def _create(
    project: Project,
    rows: Iterable[WbsCodeRow],
    stored: dict[str, WbsCode],
    segments: Mapping[int, Segment],
) -> list[WbsCodeRow]:
    """Store the first row of each new combination, and add it to ``stored``."""
    new: dict[str, WbsCodeRow] = {}
    for row in rows:
        if row.combination not in stored:
            new.setdefault(row.combination, row)
    created = {
        key: WbsCode(project=project, combination=key, description=row.description or "")
        for key, row in new.items()
    }
    # The codes first: their items need the ids.
    WbsCode.objects.bulk_create(created.values(), batch_size=BATCH)
    items = (
        WbsCodeItem(
            wbs_code=created[key],
            segment_id=segment,
            **{f"{COLUMN[segments[segment].kind]}_id": item},
        )
        for key, row in new.items()
        for segment, item in row.items
    )
    WbsCodeItem.objects.bulk_create(items, batch_size=BATCH)
    stored |= created
    return list(new.values())


def _describe(
    project: Project,
    rows: Iterable[WbsCodeRow],
    stored: Mapping[str, WbsCode],
    *,
    by: User,
) -> None:
    """Set the descriptions of existing codes; if rows disagree, the last one wins."""
    changed: dict[int, Changes] = {}
    to_update: dict[int, WbsCode] = {}
    for row in rows:
        code = stored[row.combination]
        if row.description is not None and row.description != code.description:
            # A code that several rows describe has one event, from the first value to the last.
            before = changed.get(code.pk, {}).get("description", [code.description])[0]
            changed[code.pk] = {"description": [before, row.description]}
            code.description, code.updated_at = row.description, timezone.now()
            to_update[code.pk] = code
    WbsCode.objects.bulk_update(to_update.values(), ["description", "updated_at"], batch_size=BATCH)
    _note_changes(project, changed, by=by)


def _note_new(
    project: Project,
    rows: Iterable[WbsCodeRow],
    stored: Mapping[str, WbsCode],
    segments: Mapping[int, Segment],
    items: _Known,
    *,
    by: User,
) -> None:
    positions = {pk: number for number, pk in enumerate(segments)}
    notes = []
    for row in rows:
        ordered = sorted(row.items, key=lambda pair: positions[pair[0]])
        label = default_structure.JOINT.join(items[pair].code for pair in ordered)
        data = {**_project_data(project), "description": row.description or ""}
        notes.append(Note(WBS_CODE, stored[row.combination].pk, label, Verb.CREATED, data=data))
    note(project.account_id, notes, by=by)


def _note_changes(
    project: Project, changed: Mapping[int, Mapping[str, list[Json]]], *, by: User
) -> None:
    labels = flat(project, changed)
    notes = [
        Note(
            WBS_CODE,
            pk,
            labels[pk].code,
            Verb.EDITED,
            data={**_project_data(project), "changes": dict(differences)},
        )
        for pk, differences in changed.items()
    ]
    note(project.account_id, notes, by=by)


def _project_data(project: Project) -> dict[str, Json]:
    return {"project": str(project), "project_id": project.pk}
