"""Cost codes of projects: adding from the company's lists, removing, in use, refreshing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as database
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import CodeRefused
from admin_wbs.models import ProjectCostCode
from admin_wbs.projects import cost_codes, refresh_job
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership, Project, ProjectMembership
from erpbridge.audit.models import Event
from erpbridge.jobs.models import Job
from tests.admin_wbs.books import do_jobs, erp_list, link
from tests.admin_wbs.cost_codes.test_services import tree
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db

ROWS = ("01 General", "01-100 Survey", "01-200 Permits", "02 Site", "02-100 Clearing")


@pytest.fixture(autouse=True)
def _unheard(monkeypatch):
    send = "erpbridge.jobs.wakeups.current_app.send_task"
    monkeypatch.setattr(send, lambda *_args, **_more: None)


@pytest.fixture
def made(code_list, ada):
    return tree(code_list, ada, *ROWS)


def on(project) -> list[str]:
    rows = ProjectCostCode.objects.filter(project=project).order_by("cost_code__sort_path")
    return [row.cost_code.full_code for row in rows.select_related("cost_code")]


# --- adding and removing --------------------------------------------------------------------


def test_a_ticked_code_brings_what_is_under_it(code_list, made, project, ada):
    assert cost_codes.add(code_list, [made["01"].pk], project=project, by=ada) == 3
    assert on(project) == ["01", "01-100", "01-200"]
    assert Event.objects.filter(entity="project_cost_code", verb="added").count() == 3


def test_a_ticked_code_comes_with_those_above_it(code_list, made, project, ada):
    cost_codes.add(code_list, [made["01-200"].pk], project=project, by=ada)
    assert on(project) == ["01", "01-200"]


def test_what_a_search_finds_comes_with_those_above_it(code_list, made, project, ada):
    assert cost_codes.add_matching(code_list, "clear", project=project, by=ada) == 2
    assert on(project) == ["02", "02-100"]
    assert cost_codes.add_matching(code_list, "", project=project, by=ada) == 3


def test_inactive_codes_are_not_added(code_list, made, project, ada):
    code_services.deactivate(code_list, [made["01-100"].pk], by=ada)
    ids = [made["01"].pk, made["01-100"].pk]
    cost_codes.add(code_list, ids, project=project, by=ada)
    assert on(project) == ["01", "01-200"]


def test_adding_twice_adds_once(code_list, made, project, ada):
    cost_codes.add(code_list, [made["01"].pk], project=project, by=ada)
    assert cost_codes.add(code_list, [made["01"].pk], project=project, by=ada) == 0


def test_a_code_of_another_list_is_not_added(code_list, made, project, account, ada):
    other = list_services.create(account=account, name="Other", by=ada)
    assert cost_codes.add(other, [made["01"].pk], project=project, by=ada) == 0


def test_a_code_stays_while_codes_under_it_are_on_the_project(code_list, made, project, ada):
    cost_codes.add(code_list, [made["01"].pk], project=project, by=ada)
    outcome = cost_codes.remove([made["01"].pk, made["01-100"].pk], project=project, by=ada)
    assert (outcome.done, [left.label for left in outcome.refused]) == (1, ["01 General"])
    assert on(project) == ["01", "01-200"]
    both = [made["01"].pk, made["01-200"].pk]
    assert cost_codes.remove(both, project=project, by=ada).done == 2
    assert on(project) == []


def test_lists_are_offered_that_are_available_and_the_erps(account, connection, project, ada):
    list_services.create(account=account, name="Residential", by=ada)
    list_services.create(account=account, name="Old", by=ada, for_new_projects=False)
    list_services.change(erp_list(account), values={"for_new_projects": False}, by=ada)
    names = [code_list.name for code_list in cost_codes.offered_lists(project)]
    assert names == ["Simulator Standard Cost Codes", "Residential"]
    project.use_with_erp = False
    assert [code_list.name for code_list in cost_codes.offered_lists(project)] == ["Residential"]


# --- in use ---------------------------------------------------------------------------------


def test_a_code_on_a_project_is_not_deleted_and_names_the_project(code_list, made, project, ada):
    cost_codes.add(code_list, [made["01-100"].pk], project=project, by=ada)
    outcome = code_services.delete(code_list, [made["01-100"].pk, made["01-200"].pk], by=ada)
    assert outcome.done == 1
    assert "project 1042 Pier 7 Warehouse" in outcome.refused[0].why


def test_of_many_projects_three_are_named(code_list, made, account, ada):
    for number in range(5):
        place = ProjectFactory.create(account=account, number=f"P{number}", name="Job")
        cost_codes.add(code_list, [made["02"].pk], project=place, by=ada)
    [left] = code_services.delete(code_list, [made["02-100"].pk], by=ada).refused
    assert "projects P0 Job, P1 Job, P2 Job and 2 more" in left.why


def test_the_code_of_a_code_in_use_is_locked_its_description_is_not(code_list, made, project, ada):
    cost_codes.add(code_list, [made["01-100"].pk], project=project, by=ada)
    with pytest.raises(CodeRefused, match="in use on project 1042"):
        code_services.edit(made["01"], values={"code": "09"}, seen=1, by=ada)
    edited = code_services.edit(made["01"], values={"description": "Requirements"}, seen=1, by=ada)
    assert edited.description == "Requirements"


@pytest.mark.django_db(transaction=True)
def test_of_adding_and_deleting_at_once_one_wins(code_list, made, project, ada):
    ids = [made["02-100"].pk]

    def delete() -> int:
        return code_services.delete(code_list, ids, by=ada).done

    def add() -> int:
        return cost_codes.add(code_list, ids, project=project, by=ada)

    assert sorted(at_once(delete, add)) in ([0, 1], [0, 2])


@pytest.mark.django_db(transaction=True)
def test_two_who_add_the_same_at_once_add_it_once(code_list, made, project, ada):
    def add() -> int:
        return cost_codes.add(code_list, [made["01"].pk], project=project, by=ada)

    assert sorted(at_once(add, add)) == [0, 3]
    assert on(project) == ["01", "01-100", "01-200"]


def at_once(*acts):
    def closed(act):
        try:
            return act()
        finally:
            database.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(closed, acts))


# --- refreshing -----------------------------------------------------------------------------


@pytest.fixture
def synced(account, connection, ada):
    made = tree(erp_list(account), ada, *ROWS)
    for number, code in enumerate(made.values()):
        link(code, str(number))
    return made


def done(job: Job) -> Job:
    do_jobs()
    job.refresh_from_db()
    assert job.state == "done", job.problem
    return job


def test_a_refresh_brings_in_synced_active_codes_only(account, synced, project, access_of, ada):
    code_list = erp_list(account)
    code_services.add(code_list, code="03", description="Not sent yet", by=ada)
    code_services.deactivate(code_list, [synced["02-100"].pk], by=ada)
    job = done(refresh_job.refresh(access=access_of(ada, project)))
    assert job.result["text"] == "4 cost codes added."
    assert on(project) == ["01", "01-100", "01-200", "02"]


def test_a_refresh_names_what_has_gone_inactive_and_keeps_it(
    account, synced, project, access_of, ada
):
    done(refresh_job.refresh(access=access_of(ada, project)))
    code_services.deactivate(erp_list(account), [synced["01-100"].pk], by=ada)
    job = done(refresh_job.refresh(access=access_of(ada, project)))
    assert job.result["text"] == "0 cost codes added. 1 on it is inactive."
    assert job.result["rows"] == [["01-100 Survey", "Inactive in the company's list."]]
    assert "01-100" in on(project)


def test_a_project_that_does_not_use_the_erp_is_not_refreshed(synced, project, access_of, ada):
    Project.objects.update(use_with_erp=False)
    project.refresh_from_db()
    with pytest.raises(CodeRefused, match="not used with the ERP"):
        refresh_job.refresh(access=access_of(ada, project))


def test_all_projects_are_refreshed_with_a_line_for_each(
    account, synced, project, access_of, ada, monkeypatch
):
    monkeypatch.setattr(refresh_job, "CHUNK", 2)
    second = ProjectFactory.create(account=account, number="2000", name="Second")
    idle = ProjectFactory.create(account=account, number="3000", use_with_erp=False)
    cost_codes.add(erp_list(account), [synced["01"].pk], project=second, by=ada)
    job = refresh_job.refresh_all(access=access_of(ada))
    Project.objects.filter(pk=project.pk).update(is_active=False)
    done(job)
    assert job.result["text"] == "2 projects refreshed, 2 codes added."
    assert job.result["rows"] == [
        ["1042 Pier 7 Warehouse", "The project is inactive."],
        ["2000 Second", "2 cost codes added."],
    ]
    assert len(on(second)) == 5
    assert on(idle) == on(project) == []


# --- pages ----------------------------------------------------------------------------------


@pytest.fixture
def to(account, project):
    def address(page: str, *more: int) -> str:
        return reverse(f"admin_wbs:project_{page}", args=[account.pk, project.pk, *more])

    return address


def test_codes_are_picked_from_a_tree_and_added(code_list, made, project, client_of, ada, to):
    client = client_of(ada)
    page = client.get(to("add")).content.decode()
    assert "Select all: 5 active codes" in page
    assert "02 Site" in page.replace("</span>", "")
    assert "01-100" not in page
    inside = {"list": code_list.pk, "under": made["01"].pk}
    branch = client.get(to("add"), inside, headers={"HX-Request": "true"}).content.decode()
    assert "01-100" in branch
    assert "<html" not in branch
    assert "01-200" in client.get(to("add"), inside).content.decode()
    client.post(to("add"), {"list": code_list.pk, "ids": [made["01-100"].pk, "x", "9" * 30]})
    assert on(project) == ["01", "01-100"]
    page = client.get(to("codes")).content.decode()
    assert "01-100" in page
    assert "02-100" not in page


def test_a_search_is_added_as_a_whole(code_list, made, project, client_of, ada, to):
    client = client_of(ada)
    page = client.get(to("add"), {"q": "permits"}).content.decode()
    assert "Select all 1 codes that match" in page
    client.post(to("add"), {"list": code_list.pk, "q": "permits", "all": 1})
    assert on(project) == ["01", "01-200"]


def test_nothing_ticked_changes_nothing_and_says_so(made, project, client_of, ada, to):
    answer = client_of(ada).post(to("add"), {}, follow=True)
    assert "Nothing was done. Tick at least one row first." in answer.content.decode()
    assert on(project) == []


def test_inactive_codes_stay_grayed_on_the_page(code_list, made, project, client_of, ada, to):
    cost_codes.add(code_list, [made["01"].pk], project=project, by=ada)
    code_services.deactivate(code_list, [made["01-100"].pk], by=ada)
    page = client_of(ada).get(to("codes")).content.decode()
    assert '<tr class="gone">' in page
    assert "Inactive" in page


def test_reading_shows_the_codes_and_no_button(
    code_list, made, project, account, client_of, sam, to, ada
):
    cost_codes.add(code_list, [made["01"].pk], project=project, by=ada)
    client = client_of(sam)
    assert client.get(to("codes")).status_code == 403
    member = Membership.objects.get(user=sam)
    project_access = ProjectMembership.objects.filter(membership=member, project=project)
    project_access.update(admin=Level.READ_ONLY)
    page = client.get(to("codes")).content.decode()
    assert "01-100" in page
    assert "Cost Codes from Company" not in page
    for name in ("add", "remove", "refresh"):
        assert client.post(to(name)).status_code == 403
    project_access.update(admin=Level.ADMIN)
    assert client.get(to("add")).status_code == 200


def test_the_list_asks_the_database_no_more_for_many_codes(
    code_list, made, project, client_of, ada, to, django_assert_max_num_queries
):
    cost_codes.add_matching(code_list, "", project=project, by=ada)
    client = client_of(ada)
    with django_assert_max_num_queries(25):
        client.get(to("codes"))


def test_a_refresh_from_the_page_shows_its_progress(synced, project, client_of, ada, to):
    client = client_of(ada)
    answer = client.post(to("refresh"), follow=True)
    assert "Refresh Cost Codes" in answer.content.decode()
    assert "hx-trigger" in client.get(to("codes")).content.decode()
    do_jobs()
    assert "hx-trigger" not in client.get(to("codes")).content.decode()
    assert "5 cost codes added." in client.get(answer.redirect_chain[0][0]).content.decode()


def test_a_list_that_is_not_offered_is_said_and_nothing_is_added(
    code_list, made, project, client_of, ada, to, other_account
):
    foreign = list_services.create(account=other_account, name="Not Ours", by=ada)
    client = client_of(ada)
    for given in (str(foreign.pk), "nonsense"):
        response = client.post(to("add"), {"list": given, "ids": [made["01"].pk]}, follow=True)
        assert response.redirect_chain == [(to("add"), 302)]
        assert "That list is not available to this project." in response.text
    assert not ProjectCostCode.objects.exists()
