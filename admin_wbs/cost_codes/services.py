"""All writes to cost codes. Each is one transaction that also writes the audit events.

Every function locks the list first (:func:`lists.open_for_change`), and what waits for the ERP is
never changed underneath: the states of acceptance decide, in the WHERE of each write.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import CodeRefused, Locked, Outcome, Stale
from admin_wbs.models import CodeList, CostCode, ProjectCostCode
from admin_wbs.models.full_code import MOST_TIERS, full_code
from admin_wbs.models.node import BATCH, SHAPE, batches
from admin_wbs.tree.bulk_rules import (
    Sorted,
    check_below,
    chosen,
    delete_deepest_first,
    has_children,
    switch,
    to_deactivate,
    to_delete,
    to_reactivate,
)
from erp_integrations import sendable
from erpbridge.access.models import User
from erpbridge.audit.services import Note, changes, note
from erpbridge.db.bulk_update import lock_rows
from erpbridge.db.text import key, keys

ENTITY = list_services.CODE
MOST_NAMED = 3


@transaction.atomic
def add(
    found: CodeList, *, code: str, description: str, by: User, parent: CostCode | None = None
) -> CostCode:
    """A new code under ``parent``, or of the first tier.

    :raises ValidationError: by field, for a missing value, one that is too long, or a code that
        is taken.
    :raises ReadOnly: where the list takes no changes.
    :raises CodeRefused: where the parent is of the last tier, inactive, or has gone.
    """
    list_services.open_for_change(found.pk, by=by)
    above = _parent(found, parent)
    made = CostCode(account_id=found.account_id, list=found, parent=above)
    made.place(code.strip(), above)
    made.description = description.strip()
    _check(made)
    made.save()
    note(found.account_id, [_note(made, "created", data={"revision": 1})], by=by)
    if above is not None:
        sendable.note_edits(ENTITY, found.account_id, [above.pk])
    return made


@transaction.atomic
def add_many(
    found: CodeList, rows: Sequence[tuple[Sequence[str], str]], *, by: User | None
) -> list[CostCode]:
    """Store many new codes: the path of each, and its description; parents come first or are there.

    The caller has checked every path and description. A number of statements that grows only with
    the tiers and batches.

    :raises ReadOnly: where the list takes no changes.
    """
    list_services.open_for_change(found.pk, by=by)
    return store_many(found, rows, by=by)


def store_many(
    found: CodeList, rows: Sequence[tuple[Sequence[str], str]], *, by: User | None
) -> list[CostCode]:
    """:func:`add_many` for who has locked and touched the list, such as a refresh from the ERP."""
    known = by_path(found, [path[:-1] for path, _ in rows])
    above: list[int] = [code.pk for code in known.values()]
    made: list[CostCode] = []
    for depth in range(MOST_TIERS):
        tier = [(path, text) for path, text in rows if len(path) == depth + 1]
        new = [_new(found, path, text, known) for path, text in tier]
        stored = CostCode.objects.bulk_create(new, batch_size=BATCH)
        known |= {keys(one.path): one for one in stored}
        made += stored
    note(found.account_id, [_note(one, "created", data={"revision": 1}) for one in made], by=by)
    sendable.note_edits(ENTITY, found.account_id, above)
    return made


@transaction.atomic
def edit(code: CostCode, *, values: Mapping[str, str], seen: int, by: User) -> CostCode:
    """Change code, description or both; ``seen`` is the revision the page showed.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises ReadOnly: where the list takes no changes.
    :raises Stale: when somebody else has edited the code since.
    :raises Locked: while the code waits for, or is in, the ERP.
    :raises CodeRefused: for a new code where the old one is in use.
    """
    opened = list_services.lock_open(code.list_id)
    stored = CostCode.objects.select_related("parent").get(pk=code.pk)
    cleaned = {name: value.strip() for name, value in values.items()}
    changed = changes({name: getattr(stored, name) for name in cleaned}, cleaned)
    if not changed:
        return stored
    if "code" in changed:
        _refuse_new_code(stored)
        below = list(CostCode.objects.under(stored))
        lock_rows(CostCode.objects.all(), [one.pk for one in (stored, *below)])
        stored.place(cleaned["code"], stored.parent)
        check_below(CostCode.objects.filter(list=stored.list_id), stored, below)
    stored.description = cleaned.get("description", stored.description)
    _check(stored)
    columns = {name: getattr(stored, name) for name in ("code", "description", *SHAPE)}
    editable = CostCode.objects.filter(sendable.edit_guard(seen), pk=code.pk)
    if not editable.update(**columns, revision=F("revision") + 1, updated_at=Now()):
        raise _refusal_of(code)
    list_services.touch(opened, by=by)
    stored.refresh_from_db()
    if "code" in changed:
        move_descendants(code, stored)
    data = {"changes": changed, "revision": stored.revision}
    note(stored.account_id, [_note(stored, "edited", data=data)], by=by)
    sendable.note_edits(ENTITY, stored.account_id, [stored.pk])
    return stored


def store_descriptions(found: CodeList, texts: Mapping[int, str], *, by: User | None) -> None:
    """New descriptions by id of the code, for who has locked and touched the list.

    The caller has checked every text. A number of statements that grows only with the batches.

    :raises Locked: where one of the codes waits for the ERP; none is changed then.
    """
    picked = list(chosen(found.codes.all(), texts).values())
    before = {code.pk: code.description for code in picked}
    for code in picked:
        code.description = texts[code.pk]
        code.revision += 1
    open_ones = CostCode.objects.exclude(sendable.locked())
    lock_rows(CostCode.objects.all(), texts)
    columns = ["description", "revision"]
    if open_ones.bulk_update(picked, columns, batch_size=BATCH) < len(texts):
        raise Locked("One of the codes waits for accounting or is being exported by now.")
    for some in (picked[start : start + BATCH] for start in range(0, len(picked), BATCH)):
        CostCode.objects.filter(pk__in=[code.pk for code in some]).update(updated_at=Now())
    notes = [
        _note(code, "edited", data={"changes": _described(code, before), "revision": code.revision})
        for code in picked
    ]
    note(found.account_id, notes, by=by)
    sendable.note_edits(ENTITY, found.account_id, list(before))


def _described(code: CostCode, before: Mapping[int, str]) -> dict[str, Any]:
    return {"description": [before[code.pk], code.description]}


@transaction.atomic
def deactivate(
    found: CodeList, ids: Iterable[int], *, by: User, also: Sequence[CodeList] = ()
) -> Outcome:
    """Make codes inactive: no longer offered to projects, and not sent.

    A code is left as it is while codes under it stay active.

    :param also: further lists of the account that the codes may be of.
    :raises ReadOnly: where one of the lists takes no changes.
    """
    picked = _opened(found, also, ids, by=by)
    sorted_out = to_deactivate(CostCode.objects.all(), picked, noun="Codes", locked=_locked(picked))
    return _switch(sorted_out, active=False, by=by)


@transaction.atomic
def reactivate(
    found: CodeList, ids: Iterable[int], *, by: User, also: Sequence[CodeList] = ()
) -> Outcome:
    """Make codes active again. One under an inactive code waits for that.

    ``also`` and what is raised: as for :func:`deactivate`.
    """
    picked = _opened(found, also, ids, by=by)
    return _switch(to_reactivate(picked, locked=_locked(picked)), active=True, by=by)


@transaction.atomic
def delete(
    found: CodeList, ids: Iterable[int], *, by: User, also: Sequence[CodeList] = ()
) -> Outcome:
    """Delete codes that were never used, the deepest first.

    ``also`` and what is raised: as for :func:`deactivate`.
    """
    return _delete(found, _opened(found, also, ids, by=by), by=by)


def delete_unused(found: CodeList, ids: Iterable[int], *, by: User) -> Outcome:
    """:func:`delete` for who has locked and touched the list, such as an unlinking admin."""
    return _delete(found, chosen(found.codes.all(), ids), by=by)


def _opened(
    found: CodeList, also: Sequence[CodeList], ids: Iterable[int], *, by: User
) -> dict[int, CostCode]:
    """The chosen codes, with their lists open for a change. :raises ReadOnly:"""
    held = list_services.open_many([found.pk, *(one.pk for one in also)], by=by)
    return chosen(CostCode.objects.filter(list__in=held), ids)


def _delete(found: CodeList, picked: Mapping[int, CostCode], *, by: User) -> Outcome:
    kept = {**_used(picked), **_locked(picked)}
    sorted_out = to_delete(CostCode.objects.all(), picked, noun="Codes", kept=kept)
    going = sorted_out.going
    delete_deepest_first(CostCode.objects.all(), going)
    data = {code.pk: {"full_code": code.full_code, "list": code.list_id} for code in going}
    note(found.account_id, [_note(code, "deleted", data=data[code.pk]) for code in going], by=by)
    parents = {code.parent_id for code in going if code.parent_id is not None}
    sendable.note_edits(ENTITY, found.account_id, sorted(parents - set(data)))
    return Outcome(len(going), sorted_out.left)


def usage(code: CostCode) -> str:
    """What the code is used by, which keeps it from being deleted; empty for nothing."""
    why = _used({code.pk: code}).get(code.pk, "")
    return why or (has_children("Codes") if code.children.exists() else "")


def _used(picked: Mapping[int, CostCode]) -> dict[int, str]:
    """Code id -> what uses it, whatever is under it."""
    synced = "It is synced with the ERP. Deactivate it instead, or have it unlinked first."
    used = {pk: synced for pk, code in picked.items() if code.origin_id}
    for pk, names in project_names(picked).items():
        used[pk] = f"It is on {in_words(names)}. Remove it there first."
    return used


def project_names(ids: Iterable[int]) -> dict[int, list[str]]:
    """Code id -> the projects it is on, in the order of their numbers; none left out."""
    wanted = sorted(ids)
    found: dict[int, list[str]] = {}
    for start in range(0, len(wanted), BATCH):
        rows = ProjectCostCode.objects.filter(cost_code__in=wanted[start : start + BATCH])
        rows = rows.select_related("project").order_by("project__number", "project__name", "pk")
        for row in rows:
            found.setdefault(row.cost_code_id, []).append(str(row.project))
    return found


def in_words(names: Sequence[str]) -> str:
    """All names of a few projects, the first of many and how many more."""
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    word = "project" if len(names) == 1 else "projects"
    return f"{word} {shown}" + (f" and {more:,} more" if more > 0 else "")


def code_locked(code: CostCode) -> str:
    """Why the code's own tier cannot be changed now; empty where it can. Descriptions always can.

    What the ERP knows by the old code, or is being asked to take under it, would come apart.
    """
    family = CostCode.objects.at_or_under(code)
    if family.exclude(origin_id="").exists():
        return "The ERP knows it, or a code under it, by this code."
    used = ProjectCostCode.objects.filter(cost_code__in=family).select_related("project").first()
    if used is not None:
        return f"It, or a code under it, is in use on project {used.project}."
    if family.filter(sendable.locked(), ~Q(pk=code.pk)).exists():
        return (
            "A code under it waits for accounting or is being exported. Retrieve it, or have "
            "accounting reject it, first."
        )
    return ""


def _parent(found: CodeList, parent: CostCode | None) -> CostCode | None:
    if parent is None:
        return None
    above = CostCode.objects.filter(pk=parent.pk, list=found).first()
    if above is None:
        raise CodeRefused("The code it was to go under has been deleted.", field="parent")
    if above.depth + 1 >= MOST_TIERS:
        message = f"A cost code has at most {MOST_TIERS} tiers; {above} is the last one."
        raise CodeRefused(message, field="parent")
    if not above.is_active:
        message = f"{above} is inactive. Reactivate it before adding codes under it."
        raise CodeRefused(message, field="parent")
    return above


def _new(
    found: CodeList, path: Sequence[str], text: str, known: Mapping[tuple[str, ...], CostCode]
) -> CostCode:
    above = known[keys(path[:-1])] if len(path) > 1 else None
    made = CostCode(account_id=found.account_id, list=found, parent=above, description=text)
    made.place(path[-1], above)
    return made


def by_path(found: CodeList, paths: Iterable[Sequence[str]]) -> dict[tuple[str, ...], CostCode]:
    """The stored codes of some paths, by the keys of their path."""
    wanted = sorted({key(full_code(path)) for path in paths if path})
    rows = CostCode.objects.filter(list=found)
    known: dict[tuple[str, ...], CostCode] = {}
    for start in range(0, len(wanted), BATCH):
        for code in rows.filter(code_key__in=wanted[start : start + BATCH]):
            known[keys(code.path)] = code
    return known


def _check(code: CostCode) -> None:
    """:raises ValidationError: by field."""
    code.full_clean(exclude=["path", "full_code", "sort_path"], validate_constraints=False)
    same = CostCode.objects.filter(list=code.list_id, code_key=code.code_key)
    holder = same.exclude(pk=code.pk).first()
    if holder is not None:
        raise ValidationError({"code": f"{code.full_code} is taken by {holder.description}."})


def _refuse_new_code(code: CostCode) -> None:
    why = code_locked(code)
    if why:
        raise CodeRefused(f"The code {code.full_code} cannot be changed. {why}", field="code")


def move_descendants(
    before: CostCode, after: CostCode, *, but: Container[int] = frozenset()
) -> None:
    """Write the new place into the paths of everything below, except some codes."""
    found = CostCode.objects.under(before).order_by("sort_path")
    below = [one for one in found if one.pk not in but]
    for one in below:
        one.take_path([*after.path, *one.path[len(before.path) :]])
        one.depth = len(one.path) - 1
        one.revision += 1
    CostCode.objects.bulk_update(below, [*SHAPE, "depth", "revision"], batch_size=BATCH)


def _locked(picked: Iterable[int]) -> dict[int, str]:
    why = "It waits for accounting or is being exported. Retrieve it first."
    locked = CostCode.objects.filter(sendable.locked())
    found: dict[int, str] = {}
    for some in batches(picked):
        found |= dict.fromkeys(locked.filter(pk__in=some).values_list("pk", flat=True), why)
    return found


def _switch(sorted_out: Sorted[CostCode], *, active: bool, by: User) -> Outcome:
    going = sorted_out.going
    switch(CostCode.objects.all(), going, active=active)
    data = {"changes": {"is_active": [not active, active]}}
    if going:
        account_id = going[0].account_id
        notes = [
            _note(code, "edited", data={**data, "revision": code.revision + 1}) for code in going
        ]
        note(account_id, notes, by=by)
        sendable.note_edits(ENTITY, account_id, [code.pk for code in going])
    return Outcome(len(going), sorted_out.left)


def _refusal_of(code: CostCode) -> CodeRefused:
    """Find out why the conditional UPDATE of an edit matched no row."""
    fresh = CostCode.objects.get(pk=code.pk)
    lock = sendable.lock(ENTITY, fresh)
    if lock is not None:
        return Locked(lock.message)
    return Stale(f"{fresh} was changed since you opened the page. Look at it as it is now.")


def _note(code: CostCode, verb: str, *, data: Mapping[str, Any]) -> Note:
    return Note(ENTITY, code.pk, str(code), verb, data=data)
