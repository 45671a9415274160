from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import ProjectSegment, Segment, SegmentItem
from admin_wbs.segments import default_structure
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erpbridge.audit.models import Event
from tests.admin_wbs import erps
from tests.factories import CostCodeFactory, ProjectFactory

pytestmark = pytest.mark.django_db
Kind = Segment.Kind


@pytest.fixture
def of(account):
    """The account's segment of a kind."""
    default_structure.ensure(account.pk)
    return lambda kind: Segment.objects.get(account=account, kind=kind)


def add(account, ada, name="Phase", **more):
    return segment_services.add(account, name=name, tiered=more.pop("tiered", True), by=ada, **more)


def names(account):
    return [segment.name for segment in Segment.objects.structure(account.pk)]


def of_project(project):
    return [segment.name for segment in default_structure.of_project(project)]


# --- what every account starts with ---------------------------------------------------------


def test_an_account_starts_with_three_segments_of_which_two_are_in_the_structure(account):
    default_structure.ensure(account.pk)
    default_structure.ensure(account.pk)
    segments = Segment.objects.filter(account=account).in_order()
    assert [
        (segment.name, segment.tiered, segment.is_required, segment.is_enabled)
        for segment in segments
    ] == [
        ("Cost Code", True, True, True),
        ("Cost Type", False, True, True),
        ("Sub Job", False, False, False),
    ]


def test_two_accounts_have_segments_of_their_own(account, other_account):
    for owner in (account, other_account):
        default_structure.ensure(owner.pk)
    assert names(account) == names(other_account) == ["Cost Code", "Cost Type"]


# --- custom segments ------------------------------------------------------------------------


def test_a_custom_segment_goes_to_the_end_of_the_structure(account, ada):
    made = add(account, ada, project_items=True)
    assert names(account) == ["Cost Code", "Cost Type", "Phase"]
    assert (made.tiered, made.project_items, made.project_deletes) == (True, True, False)
    assert Event.objects.about(account.pk, "segment", made.pk)[0].verb == "created"


@pytest.mark.parametrize("taken", ["PHASE", "cost code", "Sub job"])
def test_a_name_is_taken_whatever_its_case(account, ada, taken):
    add(account, ada)
    with pytest.raises(ValidationError, match=f"A segment named {taken} exists already"):
        add(account, ada, name=taken)


@pytest.mark.parametrize("bad", ["", "  ", "x" * 101])
def test_a_name_is_required_and_limited(account, ada, bad):
    with pytest.raises(ValidationError):
        add(account, ada, name=bad)


def test_an_eleventh_custom_segment_is_refused(account, ada):
    for number in range(10):
        add(account, ada, name=f"Custom {number}")
    with pytest.raises(SegmentRefused, match="at most 10 custom segments"):
        add(account, ada, name="One more")


def test_the_connected_erp_has_to_take_custom_segments(account, ada):
    erps.connect(account, by=ada)
    with pytest.raises(SegmentRefused, match="Tryton takes no custom segments"):
        add(account, ada)


def test_an_erp_that_takes_custom_segments_is_no_obstacle(account, ada, monkeypatch):
    erps.take_custom_segments(monkeypatch)
    erps.connect(account, by=ada)
    assert add(account, ada).is_custom


def test_name_and_switches_can_be_changed_and_nothing_else(account, ada):
    made = add(account, ada, tiered=False)
    values = {"name": " Stage ", "project_deletes": True, "tiered": True}
    segment_services.change(made, values=values, by=ada)
    made.refresh_from_db()
    assert (made.name, made.project_deletes, made.tiered) == ("Stage", True, False)


def test_a_new_name_must_be_free(account, ada):
    add(account, ada)
    other = add(account, ada, name="Stage")
    with pytest.raises(ValidationError, match="A segment named phase exists already"):
        segment_services.change(other, values={"name": "phase"}, by=ada)


def test_a_default_segment_cannot_be_changed_or_deleted(of, ada):
    with pytest.raises(SegmentRefused, match="settings cannot be changed"):
        segment_services.change(of(Kind.COST_TYPE), values={"name": "Kind"}, by=ada)
    with pytest.raises(SegmentRefused, match="is a default segment and cannot be deleted"):
        segment_services.delete(of(Kind.SUB_JOB), by=ada)


def test_a_custom_segment_goes_with_its_items(account, ada):
    made = add(account, ada)
    first = segment_items.add(made, code="01", description="Shell", by=ada)
    segment_items.add(made, code="100", description="Piles", parent=first, by=ada)
    segment_services.delete(made, by=ada)
    assert not SegmentItem.objects.exists()
    assert names(account) == ["Cost Code", "Cost Type"]
    event = Event.objects.about(account.pk, "segment", made.pk)[0]
    assert (event.verb, event.data) == ("deleted", {"items": 2})


def test_a_segment_in_a_projects_structure_cannot_be_deleted(account, ada):
    made = add(account, ada)
    ProjectFactory.create(account=account, number="", name="Quay")
    ProjectFactory.create(account=account, number="", name="Bridge")
    with pytest.raises(SegmentRefused, match="budget code structure of Bridge and 1 more"):
        segment_services.delete(made, by=ada)


def test_who_comes_too_late_is_told(account, ada):
    made = add(account, ada)
    segment_services.delete(Segment.objects.get(pk=made.pk), by=ada)
    for late in (
        lambda: segment_services.delete(made, by=ada),
        lambda: segment_services.move(made, step=1, by=ada),
        lambda: segment_services.change(made, values={"name": "x"}, by=ada),
    ):
        with pytest.raises(SegmentRefused, match="Phase has been deleted"):
            late()


# --- the structure --------------------------------------------------------------------------


def test_sub_job_is_enabled_and_disabled(account, of, ada):
    segment_services.enable(of(Kind.SUB_JOB), on=True, by=ada)
    assert names(account) == ["Cost Code", "Cost Type", "Sub Job"]
    segment_services.enable(of(Kind.SUB_JOB), on=False, by=ada)
    assert names(account) == ["Cost Code", "Cost Type"]


def test_what_is_required_cannot_be_disabled(of, ada):
    with pytest.raises(SegmentRefused, match="always a part of the budget code"):
        segment_services.enable(of(Kind.COST_CODE), on=False, by=ada)


def test_segments_are_moved_one_place_at_a_time(account, of, ada):
    made = add(account, ada)
    segment_services.move(made, step=-1, by=ada)
    assert names(account) == ["Cost Code", "Phase", "Cost Type"]
    segment_services.move(of(Kind.COST_CODE), step=-1, by=ada)
    assert names(account) == ["Cost Code", "Phase", "Cost Type"]
    event = Event.objects.about(account.pk, "segment", made.pk)[0]
    changed = {"structure": ["Cost Code.Cost Type.Phase", "Cost Code.Phase.Cost Type"]}
    assert event.data["changes"] == changed


def test_what_is_not_in_the_structure_cannot_be_moved(of, ada):
    with pytest.raises(SegmentRefused, match="Sub Job is not in the structure"):
        segment_services.move(of(Kind.SUB_JOB), step=-1, by=ada)


def test_the_preview_joins_tiers_by_dashes_and_segments_by_dots(account, ada):
    made = add(account, ada)
    order = list(Segment.objects.structure(account.pk))
    assert default_structure.preview(account.pk, order) == "02-220.L.[Phase]"
    CostCodeFactory.create(
        list__account=account, code="300", parent=CostCodeFactory(list__account=account, code="03")
    )
    segment_services.move(made, step=-1, by=ada)
    order = list(Segment.objects.structure(account.pk))
    assert default_structure.preview(account.pk, order) == "03-300.[Phase].L"


def test_a_project_keeps_the_structure_of_the_moment_it_was_created(account, ada, of):
    before = ProjectFactory.create(account=account)
    made = add(account, ada)
    between = ProjectFactory.create(account=account)
    segment_services.move(made, step=-1, by=ada)
    after = ProjectFactory.create(account=account)
    before.name = "Renamed"
    before.save()
    assert of_project(before) == ["Cost Code", "Cost Type"]
    assert of_project(between) == ["Cost Code", "Cost Type", "Phase"]
    assert of_project(after) == ["Cost Code", "Phase", "Cost Type"]


def test_projects_from_before_there_were_segments_take_what_all_began_with(account, ada):
    project = ProjectFactory.create(account=account)
    ProjectSegment.objects.all().delete()
    Segment.objects.all().delete()
    account.cost_types.all().delete()
    add(account, ada)
    assert of_project(project) == ["Cost Code", "Cost Type"]
