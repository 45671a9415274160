"""Refresh from ERP: the list follows an ERP that owns the codes, and takes in those of another."""

from __future__ import annotations

import time

import pytest

from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp import refresh_job as erp_refresh_job
from admin_wbs.erp.refresh_plan import Fate, codes_of_erp, plan_of
from admin_wbs.errors import CodeRefused, ReadOnly, Stale
from admin_wbs.models import CostCode
from erp_integrations import sendable
from erp_integrations.adapters.base import Page
from erp_integrations.adapters.simulator.adapter import SimulatorAdapter
from erp_integrations.models import Item, Link
from erp_integrations.sendable import ErpRow
from erpbridge.audit.models import Event
from erpbridge.clock.measured import now
from erpbridge.jobs import run as jobs_run
from erpbridge.jobs.models import Job
from tests.admin_wbs.books import (
    do_jobs,
    enter,
    erp_list,
    fetch_and_keep,
    rename,
    seen,
    strike_out,
)
from tests.erp_integrations import steps
from tests.factories import CostCodeFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unheard(monkeypatch, request):
    """No worker is woken up: the test decides who works."""
    if "worker" not in request.fixturenames:
        send = "erpbridge.jobs.wakeups.current_app.send_task"
        monkeypatch.setattr(send, lambda *_args, **_more: None)


@pytest.fixture
def fetch(account, access_of, ada):
    def run() -> Job:
        job = erp_refresh_job.fetch(erp_list(account), access=access_of(ada))
        do_jobs()
        job.refresh_from_db()
        return job

    return run


@pytest.fixture
def refresh(account, access_of, ada, fetch):
    """Fetch the codes, make the plan, apply it."""

    def run() -> Job:
        assert fetch().state == "done"
        code_list = erp_list(account)
        access = access_of(ada)
        job = erp_refresh_job.apply(code_list, access=access, seen=plan_of(code_list).fingerprint)
        do_jobs()
        job.refresh_from_db()
        return job

    return run


def fates(account):
    plan = plan_of(erp_list(account))
    return [(row.fate.value, row.label) for row in plan.rows]


# --- where the ERP owns the codes -----------------------------------------------------------


def test_the_erps_codes_come_in_as_a_tree_and_are_linked(owner, account, fetch, refresh):
    enter(owner, "02 Site", "01 General", "01-100 Survey", "01-200 Permits")
    job = refresh()
    assert (job.state, job.result["text"]) == ("done", "4 added.")
    code_list = erp_list(account)
    assert seen(code_list) == ["01 General", "01-100 Survey", "01-200 Permits", "02 Site"]
    assert not code_list.codes.filter(origin_id="").exists()
    assert not code_list.codes.filter(drifted=True).exists()
    assert code_list.codes.get(full_code="01-100").parent.full_code == "01"
    assert Link.objects.filter(entity="cost_code", ended_at=None).count() == 4
    words = set(Event.objects.filter(entity="cost_code").values_list("verb", flat=True))
    assert words == {"created", "link"}


def test_refreshing_again_changes_nothing(owner, account, refresh):
    enter(owner, "01 General", "01-100 Survey")
    refresh()
    assert plan_of(erp_list(account)).rows == ()
    assert refresh().result["text"] == "Nothing changed."


def test_a_list_of_the_erp_that_goes_round_in_circles_is_given_up(owner, fetch, monkeypatch):
    following = {"": "1", "1": "2", "2": "3", "3": "1"}
    monkeypatch.setattr(
        SimulatorAdapter,
        "pull",
        lambda _self, _entity, cursor="", _since="": Page((), following[cursor]),
    )
    job = fetch()
    assert job.state == "failed"
    assert "The ERP's list of records has no end" in job.problem


def test_a_description_changed_in_the_erp_changes_here_and_does_not_count_as_drift(
    owner, account, refresh
):
    enter(owner, "01 General", "01-100 Survey")
    refresh()
    rename(owner, "01-100", name="Surveying and layout")
    assert refresh().result["text"] == "1 changed."
    code = CostCode.objects.get(full_code="01-100")
    assert (code.description, code.drifted) == ("Surveying and layout", False)
    assert sendable.badge(code).key == "synced"


def test_what_the_erp_has_no_more_becomes_inactive_and_is_never_deleted(owner, account, refresh):
    enter(owner, "01 General", "01-100 Survey", "02 Site")
    refresh()
    strike_out(owner, "01-100", "02")
    assert refresh().result["text"] == "2 made inactive."
    assert seen(erp_list(account)) == ["01 General", "(01-100 Survey)", "(02 Site)"]
    assert Link.objects.filter(entity="cost_code", ended_at=None).count() == 3


def test_two_codes_that_changed_places_in_the_erp_change_places_here(owner, account, refresh):
    enter(owner, "01 General", "01-100 Survey", "02 Site", "02-100 Clearing")
    refresh()
    swaps = [("01", "x1"), ("01-100", "x1-100"), ("02", "01"), ("02-100", "01-100")]
    for old, new in [*swaps, ("x1", "02"), ("x1-100", "02-100")]:
        rename(owner, old, to=new)
    assert refresh().state == "done"
    assert seen(erp_list(account)) == ["01 Site", "01-100 Clearing", "02 General", "02-100 Survey"]
    assert CostCode.objects.get(full_code="02-100").parent.full_code == "02"


def test_what_only_we_have_follows_a_code_that_was_renamed_together_with_its_parent(
    owner, account, refresh
):
    enter(owner, "01 General", "01-100 Survey")
    refresh()
    survey = CostCode.objects.get(full_code="01-100")
    CostCodeFactory.create(list=survey.list, parent=survey, code="1", description="Stakes")
    rename(owner, "01", to="02")
    rename(owner, "01-100", to="02-200")
    assert refresh().state == "done"
    assert seen(erp_list(account)) == ["02 General", "02-200 Survey", "02-200-1 Stakes"]
    assert CostCode.objects.get(description="Stakes").path == ["02", "200", "1"]


def test_api_clients_find_what_a_refresh_has_changed_or_moved(owner, account, refresh):
    enter(owner, "01 General", "01-100 Survey", "02 Site", "03 Concrete")
    refresh()
    survey = CostCode.objects.get(full_code="01-100")
    CostCodeFactory.create(list=survey.list, parent=survey, code="1", description="Stakes")
    CostCode.objects.update(updated_at="2020-01-01T00:00Z")
    rename(owner, "01-100", to="01-200")
    rename(owner, "02", name="Site work")
    strike_out(owner, "03")
    assert refresh().state == "done"
    changed = CostCode.objects.filter(updated_at__year__gt=2020).order_by("sort_path")
    assert [code.full_code for code in changed] == ["01-200", "01-200-1", "02", "03"]


def test_a_code_the_erp_renamed_under_a_new_parent_moves_there(owner, account, refresh):
    enter(owner, "01 General", "01-100 Survey")
    refresh()
    enter(owner, "05 Field")
    with steps.ledger_of(owner).transaction() as db:
        db.execute(
            "UPDATE cost_code SET code = '05-100', parent ="
            " (SELECT id FROM cost_code WHERE code = '05') WHERE code = '01-100'"
        )
    assert refresh().state == "done"
    assert seen(erp_list(account)) == ["01 General", "05 Field", "05-100 Survey"]


def test_a_thousand_codes_come_in_chunk_by_chunk_and_a_dead_workers_chunk_is_not_lost(
    owner, account, fetch, access_of, ada
):
    enter(owner, "01 General", *[f"01-{number:04} Work {number}" for number in range(1199)])
    fetch()
    code_list = erp_list(account)
    job = erp_refresh_job.apply(
        code_list, access=access_of(ada), seen=plan_of(code_list).fingerprint
    )
    run = jobs_run.claim(job.pk)
    erp_refresh_job.apply_step(run)
    assert CostCode.objects.filter(list=code_list).count() == 500
    job.refresh_from_db()
    assert (job.done, job.total) == (500, 1200)
    # The worker dies here; another one takes the job up once its lease is over.
    Job.objects.filter(pk=job.pk).update(lease_until=now())
    do_jobs()
    job.refresh_from_db()
    assert (job.state, job.result["text"]) == ("done", "1,200 added.")
    assert CostCode.objects.filter(list=code_list).exclude(origin_id="").count() == 1200


def test_a_worker_makes_the_plan_once_a_turn_and_not_in_every_chunk(
    owner, account, fetch, access_of, ada, monkeypatch
):
    enter(owner, *[f"{number:04} Work {number}" for number in range(40)])
    fetch()
    code_list = erp_list(account)
    made = []
    monkeypatch.setattr(erp_refresh_job, "CHUNK", 5)
    monkeypatch.setattr(
        erp_refresh_job, "plan_of", lambda code_list: made.append(1) or plan_of(code_list)
    )
    job = erp_refresh_job.apply(
        code_list, access=access_of(ada), seen=plan_of(code_list).fingerprint
    )
    made.clear()
    run = jobs_run.claim(job.pk)
    for _ in range(8):
        erp_refresh_job.apply_step(run)
    assert (len(made), CostCode.objects.filter(list=code_list).count()) == (1, 40)
    erp_refresh_job.apply_step(run)
    assert (len(made), run.over) == (2, True)


def test_a_plan_is_made_anew_once_somebody_changes_the_list_between_two_chunks(
    connection, account, fetch, access_of, ada, monkeypatch
):
    enter(connection, *[f"{number:02} Work {number}" for number in range(10)])
    fetch()
    code_list = erp_list(account)
    monkeypatch.setattr(erp_refresh_job, "CHUNK", 5)
    job = erp_refresh_job.apply(
        code_list, access=access_of(ada), seen=plan_of(code_list).fingerprint
    )
    run = jobs_run.claim(job.pk)
    erp_refresh_job.apply_step(run)
    code_services.add(code_list, code="07", description="Typed meanwhile", by=ada)
    while not run.over:
        erp_refresh_job.apply_step(run)
    job.refresh_from_db()
    assert job.result["text"] == "9 added, 1 linked."
    assert code_list.codes.get(full_code="07").description == "Typed meanwhile"


def test_codes_fetched_anew_between_two_chunks_stop_the_job(
    owner, account, fetch, access_of, ada, monkeypatch
):
    enter(owner, *[f"{number:02} Work {number}" for number in range(10)])
    fetch()
    code_list = erp_list(account)
    monkeypatch.setattr(erp_refresh_job, "CHUNK", 5)
    job = erp_refresh_job.apply(
        code_list, access=access_of(ada), seen=plan_of(code_list).fingerprint
    )
    run = jobs_run.claim(job.pk)
    erp_refresh_job.apply_step(run)
    rename(owner, "09", name="Changed there")
    fetch_and_keep(account)
    with pytest.raises(jobs_run.JobProblem, match="fetched anew"):
        erp_refresh_job.apply_step(run)


def test_codes_are_neither_added_nor_sent_here(owner, account, access_of, ada):
    code_list = erp_list(account)
    with pytest.raises(ReadOnly, match="Refresh from ERP"):
        code_services.add(code_list, code="01", description="General", by=ada)
    button = sendable.list_button("cost_code", access_of(ada), code_list.codes.all())
    assert not button.enabled
    assert any("owns these records" in reason.message for reason in button.reasons)


# --- where either side makes codes ----------------------------------------------------------


def test_codes_that_only_the_erp_has_are_offered_and_come_in_linked(connection, account, refresh):
    enter(connection, "01 General", "01-100 Survey")
    assert refresh().result["text"] == "2 added."
    assert not erp_list(account).codes.filter(origin_id="").exists()


def test_a_code_that_reads_the_same_is_linked_and_shows_where_it_differs(
    connection, account, ada, refresh
):
    code_list = erp_list(account)
    code_services.add(code_list, code="01", description="General", by=ada)
    code_services.add(code_list, code="02", description="Site work", by=ada)
    enter(connection, "01 General", "02 Site")
    assert refresh().result["text"] == "2 linked."
    drift = dict(code_list.codes.values_list("full_code", "drifted"))
    assert drift == {"01": False, "02": True}


def test_nothing_of_ours_is_changed_or_made_inactive(connection, account, ada, refresh):
    enter(connection, "01 General", "02 Site")
    refresh()
    rename(connection, "01", name="Changed there")
    strike_out(connection, "02")
    refresh()
    assert seen(erp_list(account)) == ["01 General", "02 Site"]


def test_a_code_that_waits_for_accounting_is_left_to_accounting(
    connection, account, ada, access_of, refresh
):
    code_list = erp_list(account)
    code = code_services.add(code_list, code="01", description="General", by=ada)
    assert sendable.send("cost_code", [code.pk], access=access_of(ada)).done == 1
    enter(connection, "01 General", "01-100 Survey")
    job = refresh()
    assert "waits for accounting" in job.result["rows"][0][1]
    code.refresh_from_db()
    assert code.origin_id == ""
    assert Item.objects.get(record_id=code.pk).state == "ready"


# --- what stands in the way -----------------------------------------------------------------


def test_a_plan_that_changed_since_it_was_looked_at_is_not_applied(
    owner, account, fetch, access_of, ada
):
    enter(owner, "01 General")
    fetch()
    code_list = erp_list(account)
    looked_at = plan_of(code_list).fingerprint
    enter(owner, "02 Site")
    fetch()
    with pytest.raises(Stale):
        erp_refresh_job.apply(code_list, access=access_of(ada), seen=looked_at)


def test_a_job_stops_where_the_erps_codes_were_fetched_anew(owner, account, fetch, access_of, ada):
    enter(owner, "01 General")
    fetch()
    code_list = erp_list(account)
    job = erp_refresh_job.apply(
        code_list, access=access_of(ada), seen=plan_of(code_list).fingerprint
    )
    enter(owner, "02 Site")
    fetch_and_keep(account)
    do_jobs()
    job.refresh_from_db()
    assert (job.state, CostCode.objects.count()) == ("failed", 0)
    assert "fetched anew" in job.problem


def test_an_erp_that_does_not_answer_is_named_and_nothing_is_lost(owner, account, refresh, fetch):
    enter(owner, "01 General")
    refresh()
    steps.ledger_of(owner).path.write_bytes(b"not a database" * 100)
    job = fetch()
    assert job.state == "failed"
    assert job.problem.startswith("The ERP's cost codes could not be fetched:")
    assert plan_of(erp_list(account)).rows == ()


def test_a_list_that_belongs_to_no_erp_cannot_be_refreshed(code_list, access_of, ada):
    with pytest.raises(CodeRefused, match="belongs to no ERP"):
        erp_refresh_job.fetch(code_list, access=access_of(ada))


def test_what_cannot_be_a_code_here_is_left_with_its_reason():
    def row(number: int, code: str, **data: object) -> ErpRow:
        return ErpRow(str(number), code, {"full_code": code, "description": "x", **data})

    codes = codes_of_erp(
        [
            row(1, "01"),
            row(2, "01-1", parent="1"),
            row(3, "01-1-2", parent="9"),
            row(4, "04", parent="5"),
            row(5, "05", parent="4"),
            row(6, "0" * 31),
            row(7, "07", description=""),
            row(8, "08.100", parent="10"),
            row(10, "08", is_active=False),
        ]
    )
    assert [code.path for code in codes[:2]] == [("01",), ("01", "1")]
    assert "does not have" in codes[2].problem
    assert codes[3].problem
    assert codes[4].problem
    assert "31 characters" in codes[5].problem
    assert "no description" in codes[6].problem
    assert (codes[7].path, codes[7].is_active) == (("08", "100"), False)


def test_a_code_of_six_tiers_is_left(owner, account, fetch):
    enter(owner, "1 a", "1-1 b", "1-1-1 c", "1-1-1-1 d", "1-1-1-1-1 e", "1-1-1-1-1-1 f")
    fetch()
    (left,) = plan_of(erp_list(account)).of(Fate.LEFT)
    assert "6 tiers" in left.why


def test_a_real_worker_fetches_and_applies(owner, worker, account, access_of, ada):
    enter(owner, "01 General", "01-100 Survey")
    code_list = erp_list(account)
    wait_for(erp_refresh_job.fetch(code_list, access=access_of(ada)))
    plan = plan_of(code_list)
    wait_for(erp_refresh_job.apply(code_list, access=access_of(ada), seen=plan.fingerprint))
    assert seen(code_list) == ["01 General", "01-100 Survey"]


def wait_for(job: Job) -> None:
    until = time.monotonic() + 30
    while Job.objects.get(pk=job.pk).is_live:
        assert time.monotonic() < until, "nobody worked"
        time.sleep(0.05)
    assert Job.objects.get(pk=job.pk).state == "done"
