"""The budget code structure of a project: taken from the account, and its own after a change."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import OwnStructure, Segment
from admin_wbs.projects import structure as project_structure
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from erpbridge.audit.models import Event
from tests.admin_wbs import erps
from tests.factories import CostCodeFactory, ProjectFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def phase(account, ada):
    return segment_services.add(account, name="Phase", tiered=True, by=ada)


@pytest.fixture
def ours(account, phase):
    """A project whose structure is Cost Code, Cost Type, Phase."""
    return ProjectFactory.create(account=account)


@pytest.fixture
def at(account, ours):
    return lambda name: reverse(f"admin_wbs:{name}", args=[account.pk, ours.pk])


def names(project):
    return [segment.name for segment in default_structure.of_project(project)]


def text(answer):
    return answer.content.decode()


def test_the_order_changes_on_the_project_and_nowhere_else(ours, account, phase, ada):
    project_structure.move(ours, phase, step=-1, by=ada)
    assert names(ours) == ["Cost Code", "Phase", "Cost Type"]
    company = [segment.name for segment in Segment.objects.structure(account.pk)]
    assert company == names(ProjectFactory.create(account=account))
    assert company == ["Cost Code", "Cost Type", "Phase"]
    event = Event.objects.get(entity="project_structure")
    assert event.data["changes"]["structure"][1] == "Cost Code.Phase.Cost Type"


def test_the_first_change_makes_the_structure_the_projects_own(ours, phase, ada):
    assert project_structure.own(ours) is None
    project_structure.move(ours, phase, step=1, by=ada)
    assert project_structure.own(ours) is None, "at its end nothing moves"
    project_structure.move(ours, phase, step=-1, by=ada)
    project_structure.move(ours, phase, step=1, by=ada)
    assert project_structure.own(ours).by == ada
    assert OwnStructure.objects.count() == 1


def test_a_custom_segment_is_taken_out_and_put_in_again(ours, phase, ada):
    project_structure.remove(ours, phase, by=ada)
    assert names(ours) == ["Cost Code", "Cost Type"]
    assert phase in project_structure.addable(ours)
    project_structure.add(ours, phase, by=ada)
    assert names(ours) == ["Cost Code", "Cost Type", "Phase"]
    with pytest.raises(SegmentRefused, match="already"):
        project_structure.add(ours, phase, by=ada)


def test_what_every_budget_code_has_stays(ours, account, ada):
    required = Segment.objects.get(account=account, kind=Segment.Kind.COST_CODE)
    with pytest.raises(SegmentRefused, match="part of every budget code"):
        project_structure.remove(ours, required, by=ada)
    assert project_structure.own(ours) is None


def test_an_erp_without_custom_segments_gets_none_on_a_project_either(ours, account, phase, ada):
    project_structure.remove(ours, phase, by=ada)
    erps.connect(account, by=ada)
    with pytest.raises(SegmentRefused, match="takes no custom segments"):
        project_structure.add(ours, phase, by=ada)


def test_a_segment_of_another_account_is_not_added(ours, other_account, ada):
    default_structure.ensure(other_account.pk)
    strange = Segment.objects.filter(account=other_account, kind=Segment.Kind.SUB_JOB).get()
    with pytest.raises(SegmentRefused, match="has been deleted"):
        project_structure.add(ours, strange, by=ada)


# --- the page -------------------------------------------------------------------------------


def test_the_page_shows_the_projects_order_with_counts(client_of, ada, ours, account, at):
    code = CostCodeFactory.create(list__account=account)
    ours.cost_codes.create(cost_code=code)
    answer = client_of(ada).get(at("project_wbs"))
    counts = {row.segment.name: row.items for row in answer.context["rows"]}
    assert counts == {"Cost Code": 1, "Cost Type": 7, "Phase": 0}
    assert at("project_codes") in text(answer)
    assert "company&rsquo;s structure" in text(answer)


def test_the_first_change_is_asked_about_and_the_next_is_not(client_of, ada, ours, phase, at):
    client = client_of(ada)
    post = {"action": "up", "segment": phase.pk}
    answer = client.post(at("project_structure"), post)
    assert "structure of its own" in text(answer)
    assert names(ours) == ["Cost Code", "Cost Type", "Phase"]
    client.post(at("project_structure"), post | {"confirm": "1"})
    assert names(ours) == ["Cost Code", "Phase", "Cost Type"]
    client.post(at("project_structure"), {"action": "remove", "segment": phase.pk})
    assert names(ours) == ["Cost Code", "Cost Type"]
    client.post(at("project_structure"), {"action": "add", "segment": phase.pk})
    assert names(ours) == ["Cost Code", "Cost Type", "Phase"]
    assert "project&rsquo;s own since" in text(client.get(at("project_wbs")))


@pytest.mark.parametrize(
    "post",
    [{}, {"action": "explode"}, {"action": "up", "segment": ""}, {"segment": "9" * 30}],
)
def test_a_post_that_means_nothing_changes_nothing(client_of, ada, ours, at, post, phase):
    answer = client_of(ada).post(
        at("project_structure"), {"segment": phase.pk, **post}, follow=True
    )
    assert "Choose a segment, and what to do with it." in text(answer)
    assert names(ours) == ["Cost Code", "Cost Type", "Phase"]
