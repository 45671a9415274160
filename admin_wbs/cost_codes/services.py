"""All writes to cost codes. Each is one transaction that also writes the audit events.

Every function locks the list first (:func:`list_services.open_for_change`). Codes that wait for
accounting or are being exported never change: the WHERE of each write checks the acceptance state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from admin_wbs.cost_codes import edits, list_services
from admin_wbs.errors import CodeRefused, Locked, Stale
from admin_wbs.models import CodeList, CostCode, ProjectCostCode
from admin_wbs.models.full_code import MOST_TIERS, full_code
from admin_wbs.models.node import BATCH
from admin_wbs.tree.bulk_rules import (
    Sorted,
    chosen,
    delete_deepest_first,
    switch,
    to_deactivate,
    to_delete,
    to_reactivate,
)
from erp_integrations import sendable
from erpbridge.access.models import User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.db.batches import chunks
from erpbridge.db.text import key, keys
from erpbridge.json_values import Json
from erpbridge.refusals import BulkResult, Left

ENTITY = list_services.CODE
MOST_NAMED = 3


@transaction.atomic
def add(
    code_list: CodeList, *, code: str, description: str, by: User, parent: CostCode | None = None
) -> CostCode:
    """Add a code under ``parent``, or in the first tier.

    :raises ValidationError: by field, for a missing value, one that is too long, or a code that
        is taken.
    :raises ReadOnly: if the list cannot be changed.
    :raises CodeRefused: if the parent is of the last tier, inactive, or deleted.
    """
    list_services.open_for_change(code_list.pk, by=by)
    # Read again under the lock: the parent may have been deleted or made inactive since.
    stored_parent = _parent(code_list, parent)
    created = CostCode(account_id=code_list.account_id, list=code_list, parent=stored_parent)
    created.place(code.strip(), stored_parent)
    created.description = description.strip()
    # The list is locked, so the code is still free when it is saved.
    _check(created)
    created.save()
    note(code_list.account_id, [_note(created, Verb.CREATED, data={"revision": 1})], by=by)
    if stored_parent is not None:
        # The parent becomes a group, and is_group is part of its payload.
        sendable.note_edits(ENTITY, code_list.account_id, [stored_parent.pk])
    return created


@transaction.atomic
def add_many(
    code_list: CodeList, rows: Sequence[tuple[Sequence[str], str]], *, by: User | None
) -> list[CostCode]:
    """Create many codes from (path, description) pairs; parents come first or exist.

    The caller has checked every path and description. The number of SQL statements grows with the
    tiers and batches only.

    :raises ReadOnly: if the list cannot be changed.
    """
    list_services.open_for_change(code_list.pk, by=by)
    return store_many(code_list, rows, by=by)


def store_many(
    code_list: CodeList, rows: Sequence[tuple[Sequence[str], str]], *, by: User | None
) -> list[CostCode]:
    """:func:`add_many` for callers that have locked and touched the list themselves."""
    codes_by_path = by_path(code_list, [path[:-1] for path, _ in rows])
    # Parents that exist become groups, and is_group is part of their payload.
    parent_ids: list[int] = [code.pk for code in codes_by_path.values()]
    created: list[CostCode] = []
    # Tier by tier, because each needs the ids of the codes above it.
    for depth in range(MOST_TIERS):
        tier = [(path, text) for path, text in rows if len(path) == depth + 1]
        new = [_new(code_list, path, text, codes_by_path) for path, text in tier]
        stored = CostCode.objects.bulk_create(new, batch_size=BATCH)
        codes_by_path |= {keys(code.path): code for code in stored}
        created += stored
    note(
        code_list.account_id,
        [_note(code, Verb.CREATED, data={"revision": 1}) for code in created],
        by=by,
    )
    sendable.note_edits(ENTITY, code_list.account_id, parent_ids)
    return created


@transaction.atomic
def edit(code: CostCode, *, values: Mapping[str, str], seen: int, by: User) -> CostCode:
    """Change code, description or both. ``seen`` is the revision that the page showed.

    :raises ValidationError: by field, for a value that is missing, too long or taken.
    :raises ReadOnly: if the list cannot be changed.
    :raises Stale: if somebody else has edited the code since.
    :raises Locked: while the code waits for accounting or is being exported.
    :raises CodeRefused: for a new code if the old one is in use.
    """
    opened = list_services.lock_open(code.list_id)
    stored = CostCode.objects.select_related("parent").get(pk=code.pk)
    cleaned = {name: value.strip() for name, value in values.items()}
    # Before the comparison of revisions: who changes nothing is in nobody's way.
    if not changes({name: getattr(stored, name) for name in cleaned}, cleaned):
        return stored
    # For a code that is locked too, the message below says more.
    if stored.revision != seen and not sendable.is_locked(stored):
        raise Stale(f"{stored} was changed since you opened the page. Review the current version.")
    # Taken now, because the values below are set on the same instance.
    label = stored.full_code
    for name, value in cleaned.items():
        setattr(stored, name, value)
    # Texts that are too long are refused by field here; ``edits`` expects clean ones.
    _check_values(stored)
    for refused in edits.change(opened, {code.pk: cleaned}, by=by).refused:
        raise _exception(refused, label)
    list_services.touch(opened, by=by)
    # The code was written by ``edits``, with the paths and the revision that it worked out.
    stored.refresh_from_db()
    return stored


def store_descriptions(code_list: CodeList, texts: Mapping[int, str], *, by: User | None) -> None:
    """Store new descriptions by code id; the caller has locked and touched the list.

    The caller has checked every text.

    :raises Locked: if one of the codes waits for accounting or is being exported. The caller's
        transaction is rolled back, so that none is changed.
    """
    new_values = {pk: {"description": text} for pk, text in texts.items()}
    if edits.change(code_list, new_values, by=by).refused:
        raise Locked("One of the codes waits for accounting or is being exported by now.")


@transaction.atomic
def deactivate(
    code_list: CodeList, ids: Iterable[int], *, by: User, also: Sequence[CodeList] = ()
) -> BulkResult[Left]:
    """Make codes inactive: they are not offered to projects any more, and not sent.

    A code stays active while codes under it are active.

    :param also: further lists of the account that the codes may belong to.
    :raises ReadOnly: if one of the lists cannot be changed.
    """
    codes = _opened(code_list, also, ids, by=by)
    sorted_out = to_deactivate(CostCode.objects.all(), codes, noun="Codes", locked=_locked(codes))
    return _switch(sorted_out, active=False, by=by)


@transaction.atomic
def reactivate(
    code_list: CodeList, ids: Iterable[int], *, by: User, also: Sequence[CodeList] = ()
) -> BulkResult[Left]:
    """Make codes active again. A code under an inactive one stays inactive.

    ``also`` and errors: see :func:`deactivate`.
    """
    codes = _opened(code_list, also, ids, by=by)
    return _switch(to_reactivate(codes, locked=_locked(codes)), active=True, by=by)


@transaction.atomic
def delete(
    code_list: CodeList, ids: Iterable[int], *, by: User, also: Sequence[CodeList] = ()
) -> BulkResult[Left]:
    """Delete codes that were never used, the deepest first.

    ``also`` and errors: see :func:`deactivate`.
    """
    return _delete(code_list, _opened(code_list, also, ids, by=by), by=by)


def delete_unused(code_list: CodeList, ids: Iterable[int], *, by: User) -> BulkResult[Left]:
    """:func:`delete` for callers that have locked and touched the list themselves."""
    return _delete(code_list, chosen(code_list.codes.all(), ids), by=by)


def _opened(
    code_list: CodeList, also: Sequence[CodeList], ids: Iterable[int], *, by: User
) -> dict[int, CostCode]:
    """Lock the lists, and return the chosen codes. :raises ReadOnly:"""
    lists = list_services.open_many([code_list.pk, *(other.pk for other in also)], by=by)
    return chosen(CostCode.objects.filter(list__in=lists), ids)


def _delete(
    code_list: CodeList, chosen_codes: Mapping[int, CostCode], *, by: User
) -> BulkResult[Left]:
    kept = {**_used(chosen_codes), **_locked(chosen_codes)}
    sorted_out = to_delete(CostCode.objects.all(), chosen_codes, noun="Codes", kept=kept)
    codes = sorted_out.allowed
    delete_deepest_first(CostCode.objects.all(), codes)
    data: dict[int, Mapping[str, Json]] = {
        code.pk: {"full_code": code.full_code, "list": code.list_id} for code in codes
    }
    note(
        code_list.account_id,
        [_note(code, Verb.DELETED, data=data[code.pk]) for code in codes],
        by=by,
    )
    # Parents may have lost their last child; is_group is part of their payload.
    parents = {code.parent_id for code in codes if code.parent_id is not None}
    sendable.note_edits(ENTITY, code_list.account_id, sorted(parents - set(data)))
    return BulkResult(len(codes), sorted_out.refused)


def _used(codes: Mapping[int, CostCode]) -> dict[int, str]:
    """Code id -> what uses it; codes under it do not count."""
    synced = "It is synced with the ERP. Deactivate it instead, or have it unlinked first."
    used = {pk: synced for pk, code in codes.items() if code.origin_id}
    for pk, names in project_names(codes).items():
        used[pk] = f"It is on {in_words(names)}. Remove it there first."
    return used


def project_names(ids: Iterable[int]) -> dict[int, list[str]]:
    """Code id -> all projects that have it, in the order of their numbers."""
    code_ids = sorted(ids)
    names: dict[int, list[str]] = {}
    for chunk in chunks(code_ids):
        rows = ProjectCostCode.objects.filter(cost_code__in=chunk)
        rows = rows.select_related("project").order_by("project__number", "project__name", "pk")
        for row in rows:
            names.setdefault(row.cost_code_id, []).append(str(row.project))
    return names


def in_words(names: Sequence[str]) -> str:
    """The names of the first projects, and how many more there are."""
    named = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    word = "project" if len(names) == 1 else "projects"
    return f"{word} {named}" + (f" and {more:,} more" if more > 0 else "")


def _parent(code_list: CodeList, parent: CostCode | None) -> CostCode | None:
    if parent is None:
        return None
    stored = CostCode.objects.filter(pk=parent.pk, list=code_list).first()
    if stored is None:
        raise CodeRefused("The code it was to go under has been deleted.", field="parent")
    if stored.depth + 1 >= MOST_TIERS:
        message = f"A cost code has at most {MOST_TIERS} tiers; {stored} is the last one."
        raise CodeRefused(message, field="parent")
    if not stored.is_active:
        message = f"{stored} is inactive. Reactivate it before adding codes under it."
        raise CodeRefused(message, field="parent")
    return stored


def _new(
    code_list: CodeList,
    path: Sequence[str],
    text: str,
    codes_by_path: Mapping[tuple[str, ...], CostCode],
) -> CostCode:
    parent = codes_by_path[keys(path[:-1])] if len(path) > 1 else None
    code = CostCode(
        account_id=code_list.account_id, list=code_list, parent=parent, description=text
    )
    code.place(path[-1], parent)
    return code


def by_path(code_list: CodeList, paths: Iterable[Sequence[str]]) -> dict[tuple[str, ...], CostCode]:
    """Stored codes by the key of their path, for the given paths."""
    code_keys = sorted({key(full_code(path)) for path in paths if path})
    rows = CostCode.objects.filter(list=code_list)
    codes: dict[tuple[str, ...], CostCode] = {}
    # A full code may be split in two ways, so the codes are told apart by their paths.
    for chunk in chunks(code_keys):
        for code in rows.filter(code_key__in=chunk):
            codes[keys(code.path)] = code
    return codes


def _check(code: CostCode) -> None:
    """:raises ValidationError: by field."""
    _check_values(code)
    same = CostCode.objects.filter(list=code.list_id, code_key=code.code_key)
    holder = same.exclude(pk=code.pk).first()
    if holder is not None:
        raise ValidationError({"code": f"{code.full_code} is taken by {holder.description}."})


def _check_values(code: CostCode) -> None:
    """:raises ValidationError: by field, for a value that is missing or too long."""
    # Derived columns are excluded: their limits follow from those of the code and of the tiers.
    code.full_clean(exclude=["path", "full_code", "sort_path"], validate_constraints=False)


def _exception(left: edits.LeftCode, full_code: str) -> CodeRefused | ValidationError:
    """What :func:`edit` raises if the one code that it changes was refused."""
    if left.obstacle is edits.Obstacle.LOCKED:
        return Locked(left.why)
    if left.obstacle is edits.Obstacle.TAKEN:
        return ValidationError({"code": left.why})
    return CodeRefused(f"The code {full_code} cannot be changed. {left.why}", field="code")


def _locked(code_ids: Iterable[int]) -> dict[int, str]:
    locked = CostCode.objects.filter(sendable.locked())
    reasons: dict[int, str] = {}
    for batch in chunks(sorted(code_ids)):
        reasons |= dict.fromkeys(
            locked.filter(pk__in=batch).values_list("pk", flat=True), edits.WAITS
        )
    return reasons


def _switch(sorted_out: Sorted[CostCode], *, active: bool, by: User) -> BulkResult[Left]:
    codes = sorted_out.allowed
    switch(CostCode.objects.all(), codes, active=active)
    data = {"changes": {"is_active": [not active, active]}}
    if codes:
        account_id = codes[0].account_id
        # The UPDATE has raised the revisions in the database only.
        notes = [
            _note(code, Verb.EDITED, data={**data, "revision": code.revision + 1}) for code in codes
        ]
        note(account_id, notes, by=by)
        sendable.note_edits(ENTITY, account_id, [code.pk for code in codes])
    return BulkResult(len(codes), sorted_out.refused)


def _note(code: CostCode, verb: Verb, *, data: Mapping[str, Json]) -> Note:
    return Note(ENTITY, code.pk, str(code), verb, data=data)
