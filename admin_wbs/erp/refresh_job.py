"""Refresh from ERP: fetch the ERP's cost codes, then apply the changes that a person has confirmed.

Both are background jobs. Applying does the next rows of the plan in each chunk. A worker that takes
over a job makes a new plan, so that a chunk that runs twice changes nothing the second time.
Otherwise a worker keeps its plan until somebody else changes the list or the ERP's data.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp.refresh_plan import Fate, Plan, Row, plan_of
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import LONGEST_CODE, MOST_TIERS, full_code
from admin_wbs.models.node import BATCH, SHAPE
from admin_wbs.tree import moves
from erp_integrations import sendable
from erpbridge.access.models import User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.audit.services import Changes, Note, Verb, note
from erpbridge.db.batches import chunks
from erpbridge.db.text import keys
from erpbridge.jobs.kinds import register
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import JobProblem, Run
from erpbridge.jobs.start import start
from erpbridge.json_values import Json

FETCH = "codes.fetch"
APPLY = "codes.apply"
# Rows per transaction: while it lasts, the list is locked for everybody else.
CHUNK = 500
MOST_LISTED = 200
# Longer than any code of one tier, so that no real code starts with it.
NOWHERE = "~" * (LONGEST_CODE + 1)


def subject(code_list: CodeList) -> str:
    """The subject under which jobs of a list are stored."""
    return f"code_list:{code_list.pk}"


def refusal(code_list: CodeList) -> str | None:
    """Why the list cannot be refreshed from an ERP; None if it can."""
    if code_list.erp is None:
        return "The list belongs to no ERP that is connected."
    if not code_list.erp.imports:
        return f"{code_list.erp.label} does not provide its cost codes."
    return None


def fetch(code_list: CodeList, *, access: Access) -> Job:
    """Start fetching the ERP's codes. :raises CodeRefused: if the list cannot be refreshed."""
    why = refusal(code_list)
    if why:
        raise CodeRefused(why)
    back = reverse("admin_wbs:list", args=[code_list.account_id, code_list.pk])
    return start(
        FETCH,
        access=access,
        subject=subject(code_list),
        title=f"Fetch {code_list.name}",
        back=back,
        args={"list": code_list.pk},
    )[0]


def fetched(code_list: CodeList) -> Job | None:
    """The last finished fetch; without one there is nothing to compare."""
    jobs = Job.objects.filter(account=code_list.account_id, kind=FETCH, subject=subject(code_list))
    return jobs.filter(state=Job.State.DONE).order_by("-pk").first()


def apply(code_list: CodeList, *, access: Access, seen: str) -> Job:
    """Start applying the ERP's changes.

    :param seen: the fingerprint of the plan that the person confirmed.
    :raises CodeRefused: if the list cannot be refreshed.
    :raises Stale: if the plan has changed.
    """
    why = refusal(code_list)
    if why:
        raise CodeRefused(why)
    plan = plan_of(code_list)
    if plan.fingerprint != seen:
        raise Stale("The codes changed, here or in the ERP, since you opened the page.")
    return start(
        APPLY,
        access=access,
        subject=subject(code_list),
        title=f"Refresh {code_list.name}",
        back=reverse("admin_wbs:list", args=[code_list.account_id, code_list.pk]),
        args={"list": code_list.pk, "erp": plan.erp_digest},
        total=plan.to_do,
    )[0]


def fetch_step(run: Run) -> None:
    """Fetch the next page of the ERP's codes; the ERP is called outside any transaction."""
    list_id = run.job.args["list"]
    code_list = CodeList.objects.get(pk=list_id)
    try:
        if "place" not in run.notes:
            with run.chunk():
                begin = sendable.begin_fetch(code_list.account_id, list_services.CODE)
                run.notes["place"] = asdict(begin)
        # The call may take longer than what is left of the lease.
        run.alive()
        place = sendable.Place(**run.notes["place"])
        page = sendable.fetch_page(code_list.account_id, place)
    except sendable.NotFetched as error:
        raise JobProblem(f"The ERP's cost codes could not be fetched: {error}") from error
    if page.connection_id != code_list.connection_id:
        raise JobProblem("Another ERP was connected meanwhile.")
    # Pages of two ERPs must not be mixed.
    if page.config != run.notes.setdefault("config", dict(page.config)):
        raise JobProblem("The connection's settings were changed meanwhile. Fetch the codes again.")
    with run.chunk():
        try:
            place = sendable.keep(page, place)
        except sendable.NotFetched as error:
            raise JobProblem(str(error)) from error
        run.notes["place"] = asdict(place)
        run.done += len(page.records)
        if place.is_over:
            look = reverse("admin_wbs:refresh", args=[code_list.account_id, list_id])
            text = f"The ERP has {run.done:,} cost code{'' if run.done == 1 else 's'}."
            run.finish({"text": text, "next": [look, "Look at the changes"]})


def apply_step(run: Run) -> None:
    """Apply the next rows of the plan."""
    try:
        with run.chunk():
            code_list = list_services.lock(run.job.args["list"])
            _apply_next(run, code_list)
    except IntegrityError as error:
        raise JobProblem("Two codes would read the same. Fetch the codes again.") from error


def _apply_next(run: Run, code_list: CodeList) -> None:
    stamp = _stamp(code_list)
    # A new plan reads the whole list and everything that the ERP has, which is too much per chunk.
    if run.memory.get("stamp") == stamp and run.memory["plan"].to_do:
        plan: Plan = run.memory["plan"]
        rows = _next(plan)
    else:
        plan = _new_plan(run, code_list)
        # What moves comes before what is added or changed in place, because it frees full codes.
        rows = _moving(code_list, plan) or _next(plan)
        # An applied row leaves the plan. If the number of rows to do did not go down, the rest
        # cannot be applied, and the job ends instead of repeating it forever.
        if not rows or plan.to_do == run.notes.get("left"):
            _finish(run, plan.of(Fate.LEFT) + rows)
            return
        run.notes["left"] = plan.to_do
    list_services.touch(code_list, by=run.job.by)
    follow(code_list, rows, by=run.job.by)
    # Stamped after the change, which this worker has made itself and the plan allows for.
    run.memory |= {"stamp": _stamp(code_list), "plan": plan.without(rows)}
    tally = run.notes.setdefault("tally", {})
    for row in rows:
        tally[WORDS[row.fate]] = tally.get(WORDS[row.fate], 0) + 1
    # A new plan may have more rows than the one that the total was counted from.
    run.done = min(run.total, run.done + len(rows))


def _stamp(code_list: CodeList) -> tuple[object, ...]:
    """Changes when the list, the connection, or the stored data of the ERP changes."""
    connection = sendable.connected(code_list.account_id, list_services.CODE)
    return (
        code_list.revision,
        connection,
        sendable.erp_stamp(code_list.account_id, list_services.CODE),
    )


def _new_plan(run: Run, code_list: CodeList) -> Plan:
    """Make a new plan. :raises JobProblem: if it is not the plan that was confirmed."""
    plan = plan_of(code_list)
    if plan.erp_digest != run.job.args["erp"]:
        raise JobProblem("The ERP's codes were fetched anew meanwhile. Look at the changes again.")
    return plan


def _finish(run: Run, rows_left: Sequence[Row]) -> None:
    run.done = run.total
    rows = [[row.label, row.why or "It was changed here meanwhile."] for row in rows_left]
    tally = ", ".join(f"{n:,} {word}" for word, n in run.notes.get("tally", {}).items())
    text = f"{tally or 'Nothing changed'}."
    more = max(0, len(rows) - MOST_LISTED)
    first_rows = rows[:MOST_LISTED]
    run.finish({"text": text, "column": "Left as it is", "rows": first_rows, "more": more})


WORDS = {
    Fate.NEW: "added",
    Fate.SAME: "linked",
    Fate.CHANGED: "changed",
    Fate.MISSING: "made inactive",
}


def _next(plan: Plan) -> list[Row]:
    """The rows of the next chunk: new codes first, so that parents exist."""
    for fate in (Fate.NEW, Fate.SAME, Fate.CHANGED, Fate.MISSING):
        rows = plan.of(fate)
        if rows:
            return rows[:CHUNK]
    return []


def _moving(code_list: CodeList, plan: Plan) -> list[Row]:
    """All codes that move, with their new parents: in one chunk, because codes may swap places."""
    changed = plan.of(Fate.CHANGED)
    full_codes = dict(code_list.codes.values_list("pk", "full_code")) if changed else {}
    moving = [row for row in changed if full_codes.get(row.code_id) != full_code(row.path)]
    parent_paths = {row.path[:n] for row in moving for n in range(1, len(row.path))}
    # New codes that something moves under have to be in the same chunk.
    return [row for row in plan.of(Fate.NEW) if row.path in parent_paths] + moving


def follow(code_list: CodeList, rows: Sequence[Row], *, by: User) -> None:
    """Apply rows of one plan; the caller has locked and touched the list."""
    links = {row.code_id: row.erp_id for row in rows if row.fate == Fate.SAME}
    with transaction.atomic():
        # Connections come after the list and before its codes (docs/locks.md).
        sendable.hold(code_list.account_id)
        changed = [row for row in rows if row.fate == Fate.CHANGED]
        links |= _make_and_place(code_list, rows, changed, by=by)
        # After the codes are in place: a link compares the record with what the ERP has.
        sendable.link_existing(code_list.account_id, list_services.CODE, links, by=by)
        _deactivate([row for row in rows if row.fate == Fate.MISSING], code_list, by=by)
        touched = [*links, *(row.code_id for row in changed)]
        # These codes are now as the ERP has them, so they have no drift, and need no sending.
        sendable.note_agreement(
            code_list.account_id, list_services.CODE, _family(code_list, touched)
        )


def _make_and_place(
    code_list: CodeList, rows: Sequence[Row], changed: Sequence[Row], *, by: User
) -> dict[int, str]:
    """Create new codes and move changed ones to their place, tier by tier.

    :returns: id of a new code -> ERP id.
    """
    stored = _of_rows(code_list, changed)
    # Taken now: ``_place`` changes the instances, and history tells what was.
    before = {pk: (code.full_code, code.description, code.is_active) for pk, code in stored.items()}
    # The constraint on full codes holds after every statement, not only at the end.
    _park([stored[row.code_id] for row in changed if tuple(stored[row.code_id].path) != row.path])
    erp_ids: dict[int, str] = {}
    for depth in range(MOST_TIERS):
        new = [row for row in rows if row.fate == Fate.NEW and len(row.path) == depth + 1]
        created = code_services.store_many(
            code_list, [(row.path, row.description) for row in new], by=by
        )
        erp_ids |= {code.pk: row.erp_id for code, row in zip(created, new, strict=True)}
        tier = [row for row in changed if len(row.path) == depth + 1]
        if tier:
            _place(code_list, tier, stored)
    _note_changes(code_list, stored, before, by=by)
    return erp_ids


def _of_rows(code_list: CodeList, rows: Sequence[Row]) -> dict[int, CostCode]:
    ids = [row.code_id for row in rows]
    stored: dict[int, CostCode] = {}
    for chunk in chunks(ids, CHUNK):
        stored |= code_list.codes.in_bulk(chunk)
    return stored


def _park(moving: Sequence[CostCode]) -> None:
    """Give moving codes a temporary unique name, so that two codes can swap places."""
    parked = [CostCode(pk=code.pk, full_code=f"{NOWHERE}{code.pk}") for code in moving]
    CostCode.objects.bulk_update(parked, ["full_code"], batch_size=100)


def _place(code_list: CodeList, tier: Sequence[Row], stored: dict[int, CostCode]) -> None:
    """Write the rows of one tier; the codes above them are in place already."""
    parents = code_services.by_path(code_list, [row.path[:-1] for row in tier])
    now = timezone.now()
    for row in tier:
        code = stored[row.code_id]
        is_moving = tuple(code.path) != row.path
        # The place from which the codes under it have to come along; ``code`` gets the new one
        # below.
        before = CostCode(
            pk=code.pk, list_id=code_list.pk, path=code.path, sort_path=code.sort_path
        )
        parent = parents.get(keys(row.path[:-1]))
        code.parent, code.code = parent, row.path[-1]
        code.take_path(row.path)
        code.description, code.is_active = row.description, row.is_active
        code.revision += 1
        code.updated_at = now
        if is_moving:
            _carry(before, code, but=stored)
    CostCode.objects.bulk_update([stored[row.code_id] for row in tier], COLUMNS, batch_size=100)


def _carry(before: CostCode, moved: CostCode, *, but: Container[int]) -> None:
    """Move what is under a moved code with it, except codes with a place of their own."""
    under = [code for code in CostCode.objects.under(before) if code.pk not in but]
    paths = moves.new_paths(under, placed={moved.pk: moved.path})
    carried = [code for code in under if code.pk in paths]
    moves.take_paths(carried, paths)
    now = timezone.now()
    for code in carried:
        code.revision += 1
        code.updated_at = now
    CostCode.objects.bulk_update(
        carried, [*SHAPE, "depth", "revision", "updated_at"], batch_size=BATCH
    )


COLUMNS = [
    *("parent", "code", "path", "depth", "full_code", "sort_path"),
    *("description", "is_active", "revision", "updated_at"),
]


def _note_changes(
    code_list: CodeList,
    stored: dict[int, CostCode],
    before: dict[int, tuple[str, str, bool]],
    *,
    by: User,
) -> None:
    names = ("full_code", "description", "is_active")
    notes = []
    for pk, code in stored.items():
        after = (code.full_code, code.description, code.is_active)
        pairs = zip(names, before[pk], after, strict=True)
        changed: Changes = {name: [old, new] for name, old, new in pairs if old != new}
        data: Mapping[str, Json] = {
            "changes": changed,
            "revision": code.revision,
            "by_refresh": True,
        }
        notes.append(Note(list_services.CODE, pk, str(code), Verb.EDITED, data=data))
    note(code_list.account_id, notes, by=by)


def _deactivate(rows: Sequence[Row], code_list: CodeList, *, by: User) -> None:
    stored = _of_rows(code_list, rows)
    CostCode.objects.filter(pk__in=list(stored)).update(
        is_active=False, revision=F("revision") + 1, updated_at=Now()
    )
    data: Mapping[str, Json] = {"changes": {"is_active": [True, False]}, "by_refresh": True}
    notes = [
        Note(
            list_services.CODE,
            pk,
            str(code),
            Verb.EDITED,
            data={**data, "revision": code.revision + 1},
        )
        for pk, code in stored.items()
    ]
    note(code_list.account_id, notes, by=by)


def _family(code_list: CodeList, ids: Sequence[int]) -> list[int]:
    """The codes and their parents; parents may have become groups."""
    family = set(ids)
    code_ids = sorted(family)
    for chunk in chunks(code_ids, CHUNK):
        rows = code_list.codes.filter(pk__in=chunk)
        family.update(rows.exclude(parent=None).values_list("parent_id", flat=True))
    return sorted(family)


def register_jobs() -> None:
    """Register the jobs with the workers."""
    register(FETCH, fetch_step, action=Permission.CODES_VIEW)
    register(APPLY, apply_step, action=Permission.CODES_VIEW)
