"""What a budget code of a project uses is not deleted, and keeps its code."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_types import bulk_services as bulk_cost_type_services
from admin_wbs.cost_types import services as cost_type_services
from admin_wbs.errors import SegmentRefused
from admin_wbs.models import CostType, ProjectSegment, Segment, WbsCode
from admin_wbs.projects import budget_codes, cost_codes, sub_jobs, sub_jobs_bulk
from admin_wbs.projects import structure as project_structure
from admin_wbs.projects.budget_codes import WbsCodeRow
from admin_wbs.rows import ValueRow
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from tests.admin_wbs.steps import tree
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db
USED = "A budget code uses it"


@pytest.fixture
def phase(account, ada) -> Segment:
    made = segment_services.add(account, name="Phase", tiered=True, by=ada)
    segment_services.enable(Segment.objects.get(account=account, kind="sub_job"), on=True, by=ada)
    return made


@pytest.fixture
def ours(account, phase) -> object:
    """A project whose structure has every kind of segment."""
    return ProjectFactory.create(account=account)


@pytest.fixture
def used(account, ours, phase, ada) -> dict[str, object]:
    """Every item of the one budget code of the project."""
    code_list = list_services.create(account=account, name="Residential", by=ada)
    tree(code_list, ada, "01 General", "01-100 Surveying", "02 Sitework")
    cost_codes.add_matching(code_list, "", project=ours, by=ada)
    top = segment_items.add(phase, code="A", description="Shell", by=ada)
    items = {
        "cost_code": ours.cost_codes.get(cost_code__full_code="01-100"),
        "cost_type": CostType.objects.get(account=account, code="L"),
        "sub_job": sub_jobs.add(ours, code="N", name="North", by=ada),
        "custom": segment_items.add(phase, code="1", description="Walls", by=ada, parent=top),
    }
    kinds = dict(Segment.objects.filter(account=account).values_list("kind", "pk"))
    row = WbsCodeRow([(kinds[kind], item.pk) for kind, item in items.items()])
    budget_codes.store(ours, [row], by=ada)
    assert row.errors == {}
    return {**items, "top": top}


def test_a_budget_code_has_an_item_of_every_kind_of_segment(ours, used):
    code = WbsCode.objects.get(project=ours)
    assert budget_codes.flat(ours, [code.pk])[code.pk].code == "01-100.L.A-1.N"


def test_a_cost_code_is_not_taken_off_the_project(ours, used, ada):
    ids = [row.cost_code_id for row in ours.cost_codes.all()]
    outcome = cost_codes.remove(ids, project=ours, by=ada)
    assert outcome.done == 1
    assert [row.label for row in outcome.refused] == ["01 General", "01-100 Surveying"]
    assert outcome.refused[1].why == f"1 budget code uses it: 1 of {ours}."


def test_a_cost_type_keeps_its_code_and_stays(used, ada, access_of):
    cost_type = used["cost_type"]
    with pytest.raises(SegmentRefused, match=USED):
        cost_type_services.change(cost_type, values={"code": "LB"}, by=ada)
    assert (
        cost_type_services.change(cost_type, values={"label": "Own Labor"}, by=ada).label
        == "Own Labor"
    )
    row = ValueRow({"code": "LB"}, pk=cost_type.pk)
    bulk_cost_type_services.store([row], access=access_of(ada))
    assert USED in row.errors["code"][0]
    CostType.objects.filter(pk=cost_type.pk).update(is_default=False)
    with pytest.raises(SegmentRefused, match="1 budget code uses it: 1 of "):
        cost_type_services.delete(cost_type, by=ada)


def test_a_sub_job_keeps_its_code_and_is_only_deactivated(ours, used, ada, access_of):
    sub_job = used["sub_job"]
    with pytest.raises(SegmentRefused, match=USED):
        sub_jobs.change(sub_job, values={"code": "NO"}, seen=sub_job.revision, by=ada)
    row = ValueRow({"code": "NO"}, pk=sub_job.pk)
    sub_jobs_bulk.store(ours, [row], access=access_of(ada))
    assert USED in row.errors["code"][0]
    with pytest.raises(SegmentRefused, match=rf"1 of {ours}\. Deactivate it instead"):
        sub_jobs.delete(sub_job, by=ada)
    assert not sub_jobs.switch(sub_job, active=False, by=ada).is_active


def test_an_item_of_a_custom_segment_keeps_its_code_and_so_does_what_is_above(
    ours, phase, used, ada
):
    for item in (used["custom"], used["top"]):
        with pytest.raises(SegmentRefused, match="a budget code uses it"):
            segment_items.edit(item, values={"code": "Z"}, seen=item.revision, by=ada)
    outcome = segment_items.delete(phase, [used["custom"].pk], by=ada)
    why = f"1 budget code uses it: 1 of {ours}. Deactivate it instead."
    assert (outcome.done, outcome.refused[0].why) == (0, why)


def test_a_segment_stays_in_the_structure(ours, phase, used, ada):
    with pytest.raises(SegmentRefused, match="1 budget code uses it"):
        project_structure.remove(ours, phase, by=ada)


def test_a_segment_of_budget_codes_is_not_deleted_whatever_the_structures_say(
    account, ours, phase, used, ada
):
    ProjectSegment.objects.filter(segment=phase).delete()
    why = f"1 budget code uses it: 1 of {ours}. Budget codes are never deleted"
    with pytest.raises(SegmentRefused, match=why):
        segment_services.delete(phase, by=ada)
    assert Segment.objects.filter(pk=phase.pk).exists()


def test_it_is_said_how_many_budget_codes_of_which_projects_use_it(account, phase, used, ada):
    pair = (phase.pk, used["custom"].pk)
    type_segment = Segment.objects.get(account=account, kind="cost_type")
    for number, count in (("X-4", 1), ("X-2", 1), ("X-3", 2), ("X-1", 3)):
        project = ProjectFactory.create(account=account, number=number, name="Pier")
        types = CostType.objects.filter(account=account).order_by("code")[:count]
        for cost_type in types:
            combination = f"{phase.pk}:{pair[1]},{type_segment.pk}:{cost_type.pk}"
            code = WbsCode.objects.create(project=project, combination=combination)
            code.items.create(segment=type_segment, cost_type=cost_type)
            code.items.create(segment=phase, item=used["custom"])
    reason = "8 budget codes use it: 1 of P-.+, 3 of X-1 Pier, 1 of X-2 Pier, 3 of 2 more projects."
    assert re.match(reason, segment_services.delete_refusal(phase))
    [left] = segment_items.delete(phase, [used["custom"].pk], by=ada).refused
    assert re.match(reason, left.why)


def test_the_database_itself_keeps_a_combination_once_per_project(ours, used):
    stored = WbsCode.objects.get(project=ours)
    with pytest.raises(IntegrityError), transaction.atomic():
        WbsCode.objects.create(project=ours, combination=stored.combination)
    elsewhere = ProjectFactory.create(account=ours.account)
    assert WbsCode.objects.create(project=elsewhere, combination=stored.combination)


def test_an_item_of_a_budget_code_is_of_exactly_one_table(ours, used):
    item = WbsCode.objects.get(project=ours).items.get(cost_type=used["cost_type"])
    for values in ({"cost_type": None}, {"sub_job": used["sub_job"]}):
        with pytest.raises(IntegrityError), transaction.atomic():
            type(item).objects.filter(pk=item.pk).update(**values)
