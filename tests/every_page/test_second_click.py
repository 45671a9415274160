"""A second click that ends something leads to the same page as the first, and says that it has
ended already; an object that the account never had is not found, even if another has ended it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.urls import get_resolver, reverse
from zeal import zeal_ignore

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_types import services as cost_type_services
from admin_wbs.models import CodeList, Segment
from admin_wbs.projects import cost_codes, sub_jobs
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erp_integrations.connections import adapter_loading
from erp_integrations.sendable import Origin, link
from erp_integrations.workflow.accept import default_rules
from erpbridge.access import policy
from erpbridge.access.models import Account, Membership, Project, User
from erpbridge.audit.models import Event
from erpbridge.oauth import applications, tokens
from tests.admin_wbs.steps import tree
from tests.erp_integrations import steps
from tests.every_page.test_every_url import walk
from tests.factories import ProjectFactory

HOME = "https://estimator.example.com/back"


@dataclass(frozen=True)
class Scene:
    """An account and its admin."""

    account: Account
    user: User
    project: Project


@dataclass(frozen=True)
class End:
    """A way to end something: the name of its address, the place, the id, and the form data."""

    name: str
    place: tuple[int, ...] = ()
    pk: int | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return reverse(self.name, args=[*self.place, *([] if self.pk is None else [self.pk])])


def _program(scene: Scene) -> int:
    by = policy.load(scene.user, scene.account)
    made = applications.create("Estimator", redirect_uris=[HOME], by=by).application
    tokens.issue(made, scene.user)
    return int(made.pk)


def own_program(scene: Scene) -> End:
    return End("oauth:own_program_end", pk=_program(scene))


def own_programs(scene: Scene) -> End:
    _program(scene)
    return End("oauth:own_programs_end")


def _member(scene: Scene) -> int:
    return int(Membership.objects.get(account=scene.account, user=scene.user).pk)


def program_of_a_person(scene: Scene) -> End:
    place = (scene.account.pk, _member(scene))
    return End("oauth:person_program_end", place, _program(scene))


def programs_of_a_person(scene: Scene) -> End:
    _program(scene)
    return End("oauth:person_programs_end", (scene.account.pk, _member(scene)))


def application(scene: Scene) -> End:
    return End("oauth:application_delete", (scene.account.pk,), _program(scene))


def segment(scene: Scene) -> End:
    made = segment_services.add(scene.account, name="Phase", tiered=True, by=scene.user)
    return End("admin_wbs:segment_delete", (scene.account.pk,), made.pk)


def cost_type(scene: Scene) -> End:
    made = cost_type_services.add(
        scene.account, code="X", label="Extra", base_type="other", by=scene.user
    )
    return End("admin_wbs:cost_type_delete", (scene.account.pk,), made.pk)


def sub_job(scene: Scene) -> End:
    kind = Segment.objects.get(account=scene.account, kind=Segment.Kind.SUB_JOB)
    segment_services.enable(kind, on=True, by=scene.user)
    made = sub_jobs.add(scene.project, code="1", name="Garage", by=scene.user)
    return End("admin_wbs:sub_job_delete", (scene.account.pk, scene.project.pk), made.pk)


def _linked_code(scene: Scene, **form: Any) -> End:
    connection = steps.connect(scene.account, by=scene.user)
    code_list = CodeList.objects.get(connection_id=connection.pk)
    code = tree(code_list, scene.user, "01 General")["01"]
    access = policy.load(scene.user, scene.account)
    assert link("cost_code", {code.pk: Origin(id="C-1")}, access=access) == {}
    code_list.refresh_from_db()
    data = {"reason": "Another's", "seen": code_list.revision, **form}
    return End("admin_wbs:unlink", (scene.account.pk,), code.pk, data)


def code(scene: Scene) -> End:
    return _linked_code(scene)


def deleted_code(scene: Scene) -> End:
    return _linked_code(scene, delete="on")


def default_rule(scene: Scene) -> End:
    connection = steps.connect(scene.account, by=scene.user)
    manifest = adapter_loading.entity_manifest(connection, "cost_code")
    assert manifest is not None
    values = {"field": "income_account", "starts_with": "01", "value": "4000"}
    rule = default_rules.add(connection, manifest, **values, by=scene.user)
    place = (scene.account.pk, "cost-codes")
    return End("erp:defaults", place, data={"remove": rule.pk})


CASES: list[Callable[[Scene], End]] = [
    own_program,
    own_programs,
    program_of_a_person,
    programs_of_a_person,
    application,
    segment,
    cost_type,
    sub_job,
    code,
    deleted_code,
    default_rule,
]
# The others end all objects of a kind.
OF_ONE = [case for case in CASES if case not in (own_programs, programs_of_a_person)]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
each_of_one = pytest.mark.parametrize("case", OF_ONE, ids=[case.__name__ for case in OF_ONE])
# Addresses that end nothing with an address of its own, and the test that covers each.
ELSEWHERE = {
    "admin_wbs:project_remove": "ticked rows: tests/admin_wbs/projects/test_cost_codes.py",
    "erp:item_unlink": "the item stays: tests/erp_integrations/workflow/links/test_unlink.py",
    "erp:project_item_unlink": "as erp:item_unlink",
    "oauth:application_revoke": "ends the tokens that there are, however many",
    "oauth:revoke": "for programs",
}


@pytest.fixture
def scene(account, ada, project) -> Scene:
    return Scene(account, ada, project)


@pytest.fixture
def other_scene(other_account, olga) -> Scene:
    return Scene(other_account, olga, ProjectFactory.create(account=other_account))


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


@every_case
def test_a_second_click_lands_where_the_first_did_and_ends_nothing_more(case, scene, client_of):
    end, client = case(scene), client_of(scene.user)
    first = client.post(end.url, end.data)
    assert first.status_code == 302, first.text
    events = Event.objects.count()
    for again in (client.post(end.url, end.data), client.post(end.url, end.data)):
        assert (again.status_code, again["Location"]) == (302, first["Location"])
        (word,) = [
            message for message in said(again) if "already" in message or "any more" in message
        ][-1:]
        assert word
    assert Event.objects.count() == events


@each_of_one
def test_what_another_account_had_and_ended_is_not_there(case, scene, other_scene, client_of):
    mine, theirs = case(scene), case(other_scene)
    ended = client_of(other_scene.user).post(theirs.url, theirs.data)
    assert ended.status_code == 302
    strange = End(mine.name, mine.place, theirs.pk, theirs.data)
    events = Event.objects.count()
    assert client_of(scene.user).post(strange.url, strange.data).status_code == 404
    assert Event.objects.count() == events


@each_of_one
def test_nor_is_what_it_still_has(case, scene, other_scene, client_of):
    mine, theirs = case(scene), case(other_scene)
    strange = End(mine.name, mine.place, theirs.pk, theirs.data)
    assert client_of(scene.user).post(strange.url, strange.data).status_code == 404
    assert client_of(other_scene.user).post(theirs.url, theirs.data).status_code == 302


@pytest.mark.parametrize(
    ("case", "service"),
    [
        (segment, segment_services),
        (cost_type, cost_type_services),
        (sub_job, sub_jobs),
        (application, applications),
    ],
    ids=["segment", "cost_type", "sub_job", "application"],
)
def test_of_two_clicks_at_once_the_slower_is_told_too(case, service, scene, client_of, monkeypatch):
    end, delete = case(scene), service.delete

    def beaten(*args: Any, **how: Any) -> Any:
        with zeal_ignore():
            delete(*args, **how)
            return delete(*args, **how)

    monkeypatch.setattr(service, "delete", beaten)
    answer = client_of(scene.user).post(end.url)
    assert answer.status_code == 302
    assert "was deleted already" in said(answer)[-1]
    assert Event.objects.filter(verb="deleted").count() == 1


def ticked_items(scene: Scene) -> tuple[str, dict[str, Any]]:
    made = segment_services.add(scene.account, name="Phase", tiered=True, by=scene.user)
    item = segment_items.add(made, code="1", description="Shell", by=scene.user)
    url = reverse("admin_wbs:segment_items_act", args=[scene.account.pk, made.pk])
    return url, {"action": "delete", "confirm": "1", "ids": item.pk}


def ticked_codes_of_a_project(scene: Scene) -> tuple[str, dict[str, Any]]:
    code_list = list_services.create(account=scene.account, name="Residential", by=scene.user)
    made = tree(code_list, scene.user, "01 General")["01"]
    cost_codes.add(code_list, [made.pk], project=scene.project, by=scene.user)
    url = reverse("admin_wbs:project_remove", args=[scene.account.pk, scene.project.pk])
    return url, {"ids": made.pk}


@pytest.mark.parametrize("case", [ticked_items, ticked_codes_of_a_project])
def test_of_ticked_rows_that_have_all_gone_it_is_said(case, scene, client_of):
    url, data = case(scene)
    client = client_of(scene.user)
    client.post(url, data)
    assert said(client.post(url, data))[-1].endswith(" any more.")


def test_a_sub_job_of_another_project_is_not_there_although_it_was_deleted(scene, client_of):
    client, theirs = client_of(scene.user), sub_job(scene)
    assert client.post(theirs.url).status_code == 302
    here = ProjectFactory.create(account=scene.account)
    strange = End(theirs.name, (scene.account.pk, here.pk), theirs.pk)
    assert client.post(strange.url).status_code == 404


def test_every_address_that_ends_something_is_among_these(scene):
    words = {"delete", "end", "remove", "revoke", "unlink"}
    ending = {
        name
        for name, _arguments in walk(get_resolver().url_patterns)
        if name.rpartition(":")[2].rpartition("_")[2] in words and "_api:" not in name
    }
    tried = {case(scene).name for case in CASES if case is not default_rule and case is not code}
    assert ending - ELSEWHERE.keys() == tried
