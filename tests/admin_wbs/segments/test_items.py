from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs.errors import SegmentRefused, StaleItem
from admin_wbs.models import Segment, SegmentItem
from admin_wbs.segments import default_structure
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erpbridge.audit.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def phase(account, ada):
    """A tiered segment."""
    return segment_services.add(account, name="Phase", tiered=True, by=ada)


@pytest.fixture
def crew(account, ada):
    """A flat segment."""
    return segment_services.add(account, name="Crew", tiered=False, by=ada)


@pytest.fixture
def add(ada):
    def made(segment, code, description="Work", parent=None):
        return segment_items.add(segment, code=code, description=description, parent=parent, by=ada)

    return made


def full_codes(segment):
    return [item.full_code for item in segment.items.order_by("sort_path")]


def test_items_of_a_tiered_segment_stand_under_each_other(phase, add):
    first = add(phase, "10")
    add(phase, "2")
    add(phase, "100", parent=first)
    assert full_codes(phase) == ["2", "10", "10-100"]


def test_a_flat_segment_has_no_tiers(crew, add):
    first = add(crew, "A")
    with pytest.raises(SegmentRefused, match="Crew is flat"):
        add(crew, "B", parent=first)


def test_a_sixth_tier_is_refused(phase, add):
    above = None
    for number in range(5):
        above = add(phase, str(number), parent=above)
    with pytest.raises(SegmentRefused, match="at most 5 tiers"):
        add(phase, "6", parent=above)


def test_a_parent_of_another_segment_is_not_found(phase, account, ada, add):
    other = segment_services.add(account, name="Stage", tiered=True, by=ada)
    with pytest.raises(SegmentRefused, match="has been deleted"):
        add(phase, "1", parent=add(other, "1"))


def test_code_and_description_are_required(phase, add):
    with pytest.raises(ValidationError) as refused:
        add(phase, " ", " ")
    assert set(refused.value.message_dict) == {"code", "description"}


def test_siblings_cannot_share_a_code_and_cousins_can(phase, crew, add):
    first, second = add(phase, "A"), add(phase, "B")
    add(phase, "1", parent=first)
    add(phase, "1", parent=second)
    add(crew, "a")
    with pytest.raises(ValidationError, match="a is taken by Work"):
        add(phase, "a")


def test_segments_without_items_of_their_own_take_none(account, add):
    default_structure.ensure(account.pk)
    with pytest.raises(SegmentRefused, match="has no items of its own"):
        add(Segment.objects.get(account=account, kind="cost_type"), "1")


def test_a_new_code_moves_everything_below(phase, add, ada):
    first = add(phase, "1")
    add(phase, "9", parent=add(phase, "5", parent=first))
    segment_items.edit(first, values={"code": "3"}, seen=1, by=ada)
    assert full_codes(phase) == ["3", "3-5", "3-5-9"]


def test_an_edit_says_what_changed(phase, add, ada):
    item = add(phase, "1")
    segment_items.edit(item, values={"code": "1", "description": " Shell "}, seen=1, by=ada)
    event = Event.objects.about(phase.account_id, "segment_item", item.pk)[0]
    assert event.data["changes"] == {"description": ["Work", "Shell"]}


def test_of_two_who_edit_at_once_the_second_is_told(phase, add, ada):
    item = add(phase, "1")
    segment_items.edit(item, values={"description": "Shell"}, seen=1, by=ada)
    with pytest.raises(StaleItem):
        segment_items.edit(item, values={"description": "Core"}, seen=1, by=ada)
    assert SegmentItem.objects.get().description == "Shell"


def test_a_taken_code_changes_nothing(phase, add, ada):
    add(phase, "1")
    item = add(phase, "2")
    with pytest.raises(ValidationError, match="1 is taken"):
        segment_items.edit(item, values={"code": "1"}, seen=1, by=ada)
    assert full_codes(phase) == ["1", "2"]


def test_an_item_stays_active_while_items_under_it_are(phase, add, ada):
    first = add(phase, "1")
    child = add(phase, "2", parent=first)
    outcome = segment_items.deactivate(phase, [first.pk], by=ada)
    assert outcome.refused[0].why == "Items under it are active. Deactivate these too, or first."
    assert segment_items.deactivate(phase, [first.pk, child.pk], by=ada).done == 2
    outcome = segment_items.reactivate(phase, [child.pk], by=ada)
    assert "1 Work is inactive" in outcome.refused[0].why
    assert segment_items.reactivate(phase, [child.pk, first.pk], by=ada).done == 2


def test_items_are_deleted_with_what_is_under_them_or_not_at_all(phase, add, ada):
    first = add(phase, "1")
    child = add(phase, "2", parent=first)
    outcome = segment_items.delete(phase, [first.pk], by=ada)
    assert (outcome.done, outcome.refused[0].label) == (0, "1 Work")
    assert segment_items.delete(phase, [first.pk, child.pk], by=ada).done == 2
    assert not SegmentItem.objects.exists()


def test_items_of_another_segment_are_left_alone(phase, crew, add, ada):
    item = add(crew, "1")
    assert segment_items.delete(phase, [item.pk], by=ada).done == 0
    assert full_codes(crew) == ["1"]
