"""Refresh from ERP: fetch the ERP's cost codes, and follow them after a look at the plan.

Both are background jobs. Applying does the next rows of the plan in every chunk. A worker that
takes the job up makes the plan anew, so that a chunk that is done twice changes nothing the second
time; in its turn it goes on with that plan, as long as nobody else changed either side.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp.refresh_plan import Fate, Plan, Row, plan_of
from admin_wbs.errors import CodeRefused, Stale
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import LONGEST_CODE, MOST_TIERS, full_code, sort_path
from erp_integrations import sendable
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, note
from erpbridge.db.text import keys
from erpbridge.jobs.kinds import register
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import JobProblem, Run
from erpbridge.jobs.start import start

FETCH = "codes.fetch"
APPLY = "codes.apply"
CHUNK = 500
MOST_LISTED = 200
# Longer than a code of one tier may be, so that no code begins so.
NOWHERE = "~" * (LONGEST_CODE + 1)


def subject(found: CodeList) -> str:
    """What jobs about a list are found by."""
    return f"code_list:{found.pk}"


def refusal(found: CodeList) -> str:
    """Why the list cannot be refreshed from an ERP; empty where it can."""
    present = sendable.connected(found.account_id, list_services.CODE)
    if present is None or found.connection_id != present.connection_id:
        return "The list belongs to no ERP that is connected."
    if not present.imports:
        return f"{present.label} does not tell which cost codes it has."
    return ""


def fetch(found: CodeList, *, access: Access) -> Job:
    """Ask the ERP for its codes, in the background. :raises CodeRefused: where it cannot be."""
    why = refusal(found)
    if why:
        raise CodeRefused(why)
    back = reverse("admin_wbs:list", args=[found.account_id, found.pk])
    return start(
        FETCH,
        access=access,
        subject=subject(found),
        title=f"Fetch {found.name}",
        back=back,
        args={"list": found.pk},
    )[0]


def fetched(found: CodeList) -> Job | None:
    """The last finished fetch; without one there is nothing to look at."""
    jobs = Job.objects.filter(account=found.account_id, kind=FETCH, subject=subject(found))
    return jobs.filter(state=Job.State.DONE).order_by("-pk").first()


def apply(found: CodeList, *, access: Access, seen: str) -> Job:
    """Follow the ERP, in the background.

    :param seen: the fingerprint of the plan that was looked at.
    :raises CodeRefused: where the list cannot be refreshed.
    :raises Stale: where the plan is another one by now.
    """
    why = refusal(found)
    if why:
        raise CodeRefused(why)
    plan = plan_of(found)
    if plan.fingerprint != seen:
        raise Stale("The codes changed, here or in the ERP, since you opened the page.")
    return start(
        APPLY,
        access=access,
        subject=subject(found),
        title=f"Refresh {found.name}",
        back=reverse("admin_wbs:list", args=[found.account_id, found.pk]),
        args={"list": found.pk, "erp": plan.erp_digest},
        total=plan.to_do,
    )[0]


def fetch_step(run: Run) -> None:
    """The next page of the ERP's codes; it is asked for outside any transaction."""
    list_id = run.job.args["list"]
    found = CodeList.objects.get(pk=list_id)
    try:
        if "fetch" not in run.notes:
            with run.chunk():
                run.notes["fetch"] = sendable.fetch_begins(found.account_id, list_services.CODE)
        run.alive()
        cursor = run.notes.get("cursor", "")
        page = sendable.fetch_page(found.account_id, list_services.CODE, cursor=cursor)
    except sendable.NotFetched as error:
        raise JobProblem(f"The ERP's cost codes could not be fetched: {error}") from error
    if page.connection_id != found.connection_id:
        raise JobProblem("Another ERP was connected meanwhile.")
    if page.config != run.notes.setdefault("config", dict(page.config)):
        raise JobProblem("The connection's settings were changed meanwhile. Fetch the codes again.")
    with run.chunk():
        try:
            run.done += sendable.keep_page(page)
        except sendable.NotFetched as error:
            raise JobProblem(str(error)) from error
        run.notes["cursor"] = page.cursor
        if not page.cursor:
            sendable.fetch_ended(page, fetch=run.notes["fetch"])
            look = reverse("admin_wbs:refresh", args=[found.account_id, list_id])
            text = f"The ERP has {run.done:,} cost code{'' if run.done == 1 else 's'}."
            run.finish({"text": text, "next": [look, "Look at the Changes"]})


def apply_step(run: Run) -> None:
    """The next rows of the plan."""
    try:
        with run.chunk():
            found = list_services.lock(run.job.args["list"])
            _apply_next(run, found)
    except IntegrityError as error:
        raise JobProblem("Two codes would read the same. Fetch the codes again.") from error


def _apply_next(run: Run, found: CodeList) -> None:
    stamp = _stamp(found)
    if run.memory.get("stamp") == stamp and run.memory["plan"].to_do:
        plan: Plan = run.memory["plan"]
        rows = _next(plan)
    else:
        plan = _made_anew(run, found)
        rows = _moving(found, plan) or _next(plan)
        # What a row changed differs no more; rows that stay in the plan all the same end the job.
        if not rows or plan.to_do == run.notes.get("left"):
            _finish(run, plan.of(Fate.LEFT) + rows)
            return
        run.notes["left"] = plan.to_do
    list_services.touch(found, by=run.job.by)
    follow(found, rows, by=run.job.by)
    run.memory |= {"stamp": _stamp(found), "plan": plan.without(rows)}
    tally = run.notes.setdefault("tally", {})
    for row in rows:
        tally[WORDS[row.fate]] = tally.get(WORDS[row.fate], 0) + 1
    run.done = min(run.total, run.done + len(rows))


def _stamp(found: CodeList) -> tuple[object, ...]:
    """Another one once somebody changed the list, the connection, or what is known of the ERP."""
    present = sendable.connected(found.account_id, list_services.CODE)
    return (found.revision, present, sendable.erp_stamp(found.account_id, list_services.CODE))


def _made_anew(run: Run, found: CodeList) -> Plan:
    """:raises JobProblem: where it is no longer the plan that the person looked at."""
    plan = plan_of(found)
    if plan.erp_digest != run.job.args["erp"]:
        raise JobProblem("The ERP's codes were fetched anew meanwhile. Look at the changes again.")
    return plan


def _finish(run: Run, left: Sequence[Row]) -> None:
    run.done = run.total
    shown = [[row.label, row.why or "It was changed here meanwhile."] for row in left]
    tally = ", ".join(f"{n:,} {word}" for word, n in run.notes.get("tally", {}).items())
    text = f"{tally or 'Nothing changed'}."
    more = max(0, len(shown) - MOST_LISTED)
    rows_shown = shown[:MOST_LISTED]
    run.finish({"text": text, "column": "Left as it is", "rows": rows_shown, "more": more})


WORDS = {
    Fate.NEW: "added",
    Fate.SAME: "linked",
    Fate.CHANGED: "changed",
    Fate.MISSING: "made inactive",
}


def _next(plan: Plan) -> list[Row]:
    """What the next chunk does."""
    for fate in (Fate.NEW, Fate.SAME, Fate.CHANGED, Fate.MISSING):
        rows = plan.of(fate)
        if rows:
            return rows[:CHUNK]
    return []


def _moving(found: CodeList, plan: Plan) -> list[Row]:
    """All codes that move go first, and at once, for they may change places."""
    changed = plan.of(Fate.CHANGED)
    here = dict(found.codes.values_list("pk", "full_code")) if changed else {}
    moving = [row for row in changed if here.get(row.code_id) != full_code(row.path)]
    above = {row.path[:n] for row in moving for n in range(1, len(row.path))}
    return [row for row in plan.of(Fate.NEW) if row.path in above] + moving


def follow(found: CodeList, rows: Sequence[Row], *, by: User) -> None:
    """Carry out rows of one plan; the caller has locked and touched the list."""
    wanted = {row.code_id: row.erp_id for row in rows if row.fate == Fate.SAME}
    with transaction.atomic():
        sendable.hold(found.account_id)
        changed = [row for row in rows if row.fate == Fate.CHANGED]
        wanted |= _make_and_place(found, rows, changed, by=by)
        sendable.link_existing(found.account_id, list_services.CODE, wanted, by=by)
        _deactivate([row for row in rows if row.fate == Fate.MISSING], found, by=by)
        touched = [*wanted, *(row.code_id for row in changed)]
        sendable.note_agreement(found.account_id, list_services.CODE, _family(found, touched))


def _make_and_place(
    found: CodeList, rows: Sequence[Row], changed: Sequence[Row], *, by: User
) -> dict[int, str]:
    """Make what is new and put what is changed where it belongs, tier by tier.

    :returns: new code's id -> ERP id.
    """
    stored = _of_rows(found, changed)
    before = {pk: (code.full_code, code.description, code.is_active) for pk, code in stored.items()}
    _park([stored[row.code_id] for row in changed if tuple(stored[row.code_id].path) != row.path])
    erp_ids: dict[int, str] = {}
    for depth in range(MOST_TIERS):
        new = [row for row in rows if row.fate == Fate.NEW and len(row.path) == depth + 1]
        made = code_services.store_many(found, [(row.path, row.description) for row in new], by=by)
        erp_ids |= {code.pk: row.erp_id for code, row in zip(made, new, strict=True)}
        tier = [row for row in changed if len(row.path) == depth + 1]
        if tier:
            _place(found, tier, stored)
    _note_changes(found, stored, before, by=by)
    return erp_ids


def _of_rows(found: CodeList, rows: Sequence[Row]) -> dict[int, CostCode]:
    ids = [row.code_id for row in rows]
    stored: dict[int, CostCode] = {}
    for start_at in range(0, len(ids), CHUNK):
        stored |= found.codes.in_bulk(ids[start_at : start_at + CHUNK])
    return stored


def _park(moving: Sequence[CostCode]) -> None:
    """Give codes that move a name that no code has, so that two can change places."""
    parked = [CostCode(pk=code.pk, full_code=f"{NOWHERE}{code.pk}") for code in moving]
    CostCode.objects.bulk_update(parked, ["full_code"], batch_size=100)


def _place(found: CodeList, tier: Sequence[Row], stored: dict[int, CostCode]) -> None:
    """Write the rows of one tier; the codes above them are in place."""
    parents = code_services.by_path(found, [row.path[:-1] for row in tier])
    for row in tier:
        code = stored[row.code_id]
        moves = tuple(code.path) != row.path
        old = CostCode(pk=code.pk, list_id=found.pk, path=code.path, sort_path=code.sort_path)
        above = parents.get(keys(row.path[:-1]))
        code.parent, code.code = above, row.path[-1]
        code.path, code.depth = list(row.path), len(row.path) - 1
        code.full_code, code.sort_path = full_code(row.path), sort_path(row.path)
        code.description, code.is_active = row.description, row.is_active
        code.revision += 1
        if moves:
            code_services.move_descendants(old, code, but=stored)
    CostCode.objects.bulk_update([stored[row.code_id] for row in tier], COLUMNS, batch_size=100)


COLUMNS = [
    *("parent", "code", "path", "depth", "full_code", "sort_path"),
    *("description", "is_active", "revision"),
]


def _note_changes(
    found: CodeList,
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
        changed = {name: [old, new] for name, old, new in pairs if old != new}
        data = {"changes": changed, "revision": code.revision, "by_refresh": True}
        notes.append(Note(list_services.CODE, pk, str(code), "edited", data=data))
    note(found.account_id, notes, by=by)


def _deactivate(rows: Sequence[Row], found: CodeList, *, by: User) -> None:
    stored = _of_rows(found, rows)
    CostCode.objects.filter(pk__in=list(stored)).update(
        is_active=False, revision=F("revision") + 1, updated_at=Now()
    )
    data = {"changes": {"is_active": [True, False]}, "by_refresh": True}
    notes = [
        Note(
            list_services.CODE,
            pk,
            str(code),
            "edited",
            data={**data, "revision": code.revision + 1},
        )
        for pk, code in stored.items()
    ]
    note(found.account_id, notes, by=by)


def _family(found: CodeList, ids: Sequence[int]) -> list[int]:
    """The codes and those right above them, which may have become groups."""
    family = set(ids)
    wanted = sorted(family)
    for start_at in range(0, len(wanted), CHUNK):
        rows = found.codes.filter(pk__in=wanted[start_at : start_at + CHUNK])
        family.update(rows.exclude(parent=None).values_list("parent_id", flat=True))
    return sorted(family)


def register_jobs() -> None:
    """Make the jobs known to the workers."""
    register(FETCH, fetch_step, action="codes.view")
    register(APPLY, apply_step, action="codes.view")
