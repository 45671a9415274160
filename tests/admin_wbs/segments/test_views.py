"""The pages of segments, items, cost types and the matrix, for admins and for readers."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from admin_wbs.cost_types import services as cost_type_services
from admin_wbs.models import CodeCostType, CostType, Segment, SegmentItem
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erpbridge.access.levels import Level
from tests.admin_wbs import erps
from tests.factories import (
    CodeListFactory,
    CostCodeFactory,
    MembershipFactory,
    ProjectFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client_of, ada):
    return client_of(ada)


@pytest.fixture
def rita(account):
    """Somebody who may look at the Admin tool."""
    user = UserFactory.create(name="Rita Reader")
    MembershipFactory.create(user=user, account=account, admin=Level.READ_ONLY)
    return user


@pytest.fixture
def phase(account, ada):
    return segment_services.add(account, name="Phase", tiered=True, by=ada)


@pytest.fixture
def at(account):
    return lambda name, *rest: reverse(f"admin_wbs:{name}", args=[account.pk, *rest])


def text(answer):
    return answer.content.decode()


# --- who may --------------------------------------------------------------------------------


def test_the_tool_opens_with_the_segments(admin, account, at):
    answer = admin.get(at("segments"))
    assert [row.segment.name for row in answer.context["rows"]] == [
        "Cost Code",
        "Cost Type",
        "Sub Job",
    ]
    assert f'<a href="{at("lists")}">Cost Code</a>' in text(answer)
    assert f'<a href="{at("cost_types")}">Cost Type</a>' in text(answer)


def test_a_reader_sees_everything_and_no_button(client_of, rita, phase, ada, account, at):
    segment_items.add(phase, code="01", description="Shell", by=ada)
    erp_list = erps.connect(account, by=ada)
    CostCodeFactory.create(list=erp_list, code="03")
    reader = client_of(rita)
    pages = [
        at("segments"),
        at("segment_items", phase.pk),
        at("cost_types"),
        at("matrix", erp_list.pk),
    ]
    for page in pages:
        answer = reader.get(page)
        assert answer.status_code == 200
        content = text(answer).split('id="content"')[1]
        assert 'method="post"' not in content or "data-matrix" in content
        assert "hx-post" not in content
        assert ">Edit<" not in content


def test_a_reader_changes_nothing(client_of, rita, phase, account, ada, at):
    erp_list = erps.connect(account, by=ada)
    code = CostCodeFactory.create(list=erp_list)
    labor = CostType.objects.get(account=account, code="L")
    reader = client_of(rita)
    posts = [
        (at("segment_add"), {"name": "x", "tiered": "0"}),
        (at("segment", phase.pk), {"name": "x"}),
        (at("segment_delete", phase.pk), {}),
        (at("segment_move", phase.pk), {"direction": "up"}),
        (at("segment_items", phase.pk), {"new-code": "1", "new-description": "x"}),
        (at("segment_items_act", phase.pk), {"action": "delete", "ids": "1", "confirm": "1"}),
        (at("cost_types"), {"code": "x", "label": "x", "base_type": "other"}),
        (at("cost_type", labor.pk), {"code": "x", "label": "x"}),
        (at("matrix", erp_list.pk), {"ticks": f"{code.pk}-{labor.pk}"}),
        (at("matrix_tick", erp_list.pk), {"pair": f"{code.pk}-{labor.pk}", "on": "1"}),
        (at("matrix_column", erp_list.pk, labor.pk), {"ticked": "1"}),
    ]
    for page, values in posts:
        assert reader.post(page, values).status_code == 403, page
    assert list(Segment.objects.filter(kind="custom").values_list("name", flat=True)) == ["Phase"]
    assert not SegmentItem.objects.exists()
    assert not CodeCostType.objects.exists()


def test_who_has_no_admin_tool_is_told_so(client_of, sam, at):
    assert client_of(sam).get(at("segments")).status_code == 403


# --- segments -------------------------------------------------------------------------------


def test_a_segment_is_added_and_its_items_come_next(admin, at):
    answer = admin.post(
        at("segment_add"), {"name": "Phase", "tiered": "1", "project_items": "on"}, follow=True
    )
    made = Segment.objects.get(name="Phase")
    assert (made.tiered, made.project_items, made.project_deletes) == (True, True, False)
    assert answer.request["PATH_INFO"] == at("segment_items", made.pk)


def test_what_was_typed_stays_when_a_name_is_taken(admin, phase, at):
    answer = admin.post(at("segment_add"), {"name": "phase", "tiered": "0"})
    assert "A segment named phase exists already." in text(answer)
    assert 'value="phase"' in text(answer)


def test_the_page_to_add_says_why_it_is_of_no_use(admin, account, ada, at):
    erps.connect(account, by=ada)
    assert "Tryton takes no custom segments" in text(admin.get(at("segment_add")))
    answer = admin.post(at("segment_add"), {"name": "Phase", "tiered": "0"})
    assert "Tryton takes no custom segments" in text(answer)
    assert not Segment.objects.filter(name="Phase").exists()


def test_the_segments_of_before_are_marked_where_the_erp_does_not_take_them(
    admin, account, phase, ada, at
):
    erps.connect(account, by=ada)
    assert "Custom segments and the ERP" in text(admin.get(at("segments")))


def test_a_segment_in_use_offers_no_delete_and_says_why(admin, phase, account, at):
    ProjectFactory.create(account=account, number="", name="Quay")
    assert "budget code structure of 1 project." in text(admin.get(at("segments")))
    answer = admin.get(at("segment_delete", phase.pk), follow=True)
    assert "Phase cannot be deleted. It is in the budget code structure of Quay." in text(answer)


def test_a_segment_is_renamed_and_the_history_says_so(admin, phase, at):
    admin.post(at("segment", phase.pk), {"name": "Stage", "project_deletes": "on"})
    phase.refresh_from_db()
    assert (phase.name, phase.project_deletes) == ("Stage", True)
    assert "Ada Admin" in text(admin.get(at("segment", phase.pk)))


def test_default_segments_have_no_settings_and_no_items_page(admin, account, phase, at):
    cost_code = Segment.objects.get(account=account, kind="cost_code")
    for name in ("segment", "segment_delete", "segment_items"):
        assert admin.get(at(name, cost_code.pk)).status_code == 404


def test_a_nonsense_direction_moves_nothing(admin, phase, at):
    answer = admin.post(at("segment_move", phase.pk), {"direction": "sideways"}, follow=True)
    assert "Choose Move up or Move down." in text(answer)


def test_twenty_segments_cost_no_more_queries_than_one(
    admin, account, phase, ada, at, django_assert_max_num_queries
):
    for number in range(9):
        segment_services.add(account, name=f"Custom {number}", tiered=False, by=ada)
    ProjectFactory.create(account=account)
    with django_assert_max_num_queries(30):
        admin.get(at("segments"))


# --- items ----------------------------------------------------------------------------------


def add(admin, at, phase, code, description="Work", query=""):
    values = {"new-code": code, "new-description": description}
    return admin.post(at("segment_items", phase.pk) + query, values, follow=True)


def test_items_are_added_under_each_other(admin, phase, at):
    add(admin, at, phase, "01")
    first = SegmentItem.objects.get()
    assert "Added 01-1 Work." in text(add(admin, at, phase, "1", query=f"?under={first.pk}"))


def test_a_half_filled_row_is_refused_and_keeps_what_was_typed(admin, phase, at):
    answer = add(admin, at, phase, "01", "")
    assert answer.status_code == 409
    assert 'value="01"' in text(answer)
    assert "This field is required." in text(answer)


def test_a_taken_code_is_refused_by_field(admin, phase, at):
    add(admin, at, phase, "01")
    assert "01 is taken by Work." in text(add(admin, at, phase, "01", "Other"))


def test_a_script_gets_the_row_of_an_item_or_what_was_typed_with_the_reason(admin, phase, at):
    page, part = at("segment_items", phase.pk), {"HX-Request": "true"}
    typed = {"new-code": "01", "new-description": "Shell", "key": "typed-3"}
    saved = text(admin.post(page, typed, headers=part))
    item = SegmentItem.objects.get()
    assert f'<tr id="item-{item.pk}"' in saved
    assert "Added 01 Shell." in saved
    refused = text(admin.post(page, typed | {"new-description": "Core"}, headers=part))
    assert "01 is taken by Shell." in refused
    assert 'id="typed-3_new-description" value="Core"' in refused
    again = text(admin.post(page, typed | {"again": "1"}, headers=part))
    assert f'<tr id="item-{item.pk}"' in again
    assert SegmentItem.objects.count() == 1
    edit = at("segment_item", phase.pk, item.pk)
    assert f'action="{edit}"' in text(admin.get(edit, headers=part))
    values = {"edit-code": "01", "edit-description": "Shell and core", "seen": item.revision}
    assert "Saved 01." in text(admin.post(edit, values, headers=part))
    late = text(admin.post(edit, values | {"edit-description": "Core"}, headers=part))
    assert "Not saved: 01 Shell and core was changed since you opened the page." in late
    row = at("segment_item_row", phase.pk, item.pk)
    assert "Shell and core" in text(admin.get(row, headers=part))
    assert admin.get(row).status_code == 302


def test_an_item_is_edited_in_its_row(admin, phase, at):
    add(admin, at, phase, "01")
    item = SegmentItem.objects.get()
    page = at("segment_item", phase.pk, item.pk)
    assert 'name="edit-code"' in text(admin.get(page))
    values = {"edit-code": "02", "edit-description": "Shell", "seen": "1"}
    assert admin.post(page, values).status_code == 302
    answer = admin.post(page, values | {"edit-description": "Core"})
    assert answer.status_code == 409
    assert "was changed since you opened the page" in text(answer)
    assert 'value="Core"' in text(answer)
    item.refresh_from_db()
    assert str(item) == "02 Shell"


def test_deleting_items_asks_first_and_names_what_stays(admin, phase, at):
    add(admin, at, phase, "01")
    first = SegmentItem.objects.get()
    add(admin, at, phase, "1", query=f"?under={first.pk}")
    page = at("segment_items_act", phase.pk)
    assert "Delete 1 item?" in text(admin.post(page, {"action": "delete", "ids": first.pk}))
    values = {"action": "delete", "ids": first.pk, "confirm": "1"}
    assert "01 Work: Items are under it." in text(admin.post(page, values, follow=True))
    both = [item.pk for item in SegmentItem.objects.all()]
    answer = admin.post(page, {"action": "delete", "ids": both, "confirm": "1"}, follow=True)
    assert "Deleted 2 items." in text(answer)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Tick at least one row first."),
        ({"action": "delete", "ids": "x"}, "Tick at least one row first."),
        ({"action": "explode", "ids": "1"}, "choose what to do with the ticked items"),
    ],
)
def test_nonsense_is_answered_in_words(admin, phase, at, values, words):
    answer = admin.post(at("segment_items_act", phase.pk), values, follow=True)
    assert words in text(answer)


# --- cost types -----------------------------------------------------------------------------


def test_a_cost_type_is_added_changed_and_deleted(admin, account, at):
    values = {"code": "DL", "label": "Direct Labor", "base_type": "labor"}
    assert "Added the cost type DL Direct Labor." in text(
        admin.post(at("cost_types"), values, follow=True)
    )
    made = CostType.objects.get(account=account, code="DL")
    admin.post(at("cost_type", made.pk), values | {"label": "Own Crew"})
    assert "Delete cost type?" in text(admin.get(at("cost_type_delete", made.pk)))
    answer = admin.post(at("cost_type_delete", made.pk), follow=True)
    assert "Deleted the cost type DL Own Crew." in text(answer)


def test_a_default_is_renamed_and_not_deleted(admin, account, at):
    admin.get(at("cost_types"))
    labor = CostType.objects.get(account=account, code="L")
    admin.post(at("cost_type", labor.pk), {"code": "LAB", "label": "Labour"})
    labor.refresh_from_db()
    assert (str(labor), labor.base_type) == ("LAB Labour", "labor")
    answer = admin.post(at("cost_type_delete", labor.pk), follow=True)
    assert "It is one of the seven defaults." in text(answer)
    assert "Another cost type has the code lab." in text(
        admin.post(at("cost_types"), {"code": "lab", "label": "x", "base_type": "other"})
    )


# --- the matrix -----------------------------------------------------------------------------


@pytest.fixture
def erp_list(account, ada):
    return erps.connect(account, by=ada)


@pytest.fixture
def labor(admin, account, at):
    admin.get(at("cost_types"))
    return CostType.objects.get(account=account, code="L")


def test_a_list_without_an_erp_says_why_it_has_no_matrix(admin, account, at):
    plain = CodeListFactory.create(account=account)
    answer = text(admin.get(at("matrix", plain.pk)))
    assert "ERP Standard Cost Codes list only" in answer
    assert 'type="checkbox"' not in answer


def test_a_save_changes_only_what_this_person_changed(admin, erp_list, labor, ada, at):
    codes = CostCodeFactory.create_batch(3, list=erp_list)
    first, second, third = (f"{code.pk}-{labor.pk}" for code in codes)
    page = at("matrix", erp_list.pk)
    admin.post(page, {"was": "", "ticks": [first, second]})
    CodeCostType.objects.filter(code=codes[1]).delete()  # Somebody else, after the page was opened.
    submitted = {"was": f"{first} {second}", "ticks": [second, third]}
    assert "Saved 2 changes." in text(admin.post(page, submitted, follow=True))
    assert set(CodeCostType.objects.values_list("code", flat=True)) == {codes[2].pk}


def test_a_tick_answers_with_what_is_stored(admin, erp_list, labor, at):
    code = CostCodeFactory.create(list=erp_list, code="03")
    page = at("matrix_tick", erp_list.pk)
    pair = f"{code.pk}-{labor.pk}"
    assert "03: L Labor ticked. Saved." in text(admin.post(page, {"pair": pair, "on": "1"}))
    assert CodeCostType.objects.count() == 1
    assert "03: L Labor not ticked. Saved." in text(admin.post(page, {"pair": pair, "on": "0"}))
    assert not CodeCostType.objects.exists()


@pytest.mark.parametrize("pair", ["", "x", "1", "1-2-3", f"{10**18}-1", f"{10**19 - 1}-1", "٣-1"])
def test_a_broken_tick_is_answered_in_words(admin, erp_list, at, pair):
    answer = admin.post(at("matrix_tick", erp_list.pk), {"pair": pair, "on": "1"})
    assert answer.status_code == 200
    assert "Not saved: The code or the cost type has been deleted. Reload the page." in text(answer)


def test_a_column_tells_how_many_before_it_ticks(admin, erp_list, labor, at):
    for text_ in ("Concrete", "Concrete walls", "Steel"):
        CostCodeFactory.create(list=erp_list, description=text_)
    page = at("matrix_column", erp_list.pk, labor.pk) + "?q=concrete"
    assert "Tick L Labor for 2 codes?" in text(admin.get(page))
    assert "Ticked L Labor for 2 codes." in text(admin.post(page, {"ticked": "1"}, follow=True))
    assert "Untick L Labor for 2 codes?" in text(admin.get(page))
    whole = at("matrix_column", erp_list.pk, labor.pk)
    assert "Tick L Labor for 1 code?" in text(admin.get(whole))


def test_a_cost_type_that_is_ticked_offers_no_delete(admin, erp_list, account, ada, at):
    made = cost_type_services.add(account, code="DL", label="Own", base_type="labor", by=ada)
    code = CostCodeFactory.create(list=erp_list)
    assert at("cost_type_delete", made.pk) in text(admin.get(at("cost_types")))
    CodeCostType.objects.create(code=code, cost_type=made)
    assert at("cost_type_delete", made.pk) not in text(admin.get(at("cost_types")))


def test_saving_an_item_comes_back_to_the_page_of_the_table(admin, phase, ada, at):
    for number in range(60):
        segment_items.add(phase, code=f"{number:02}", description="Work", by=ada)
    first = admin.get(at("segment_items", phase.pk))
    after = first.context["page"].next
    second = text(admin.get(at("segment_items", phase.pk), {"after": after}))
    last = SegmentItem.objects.get(segment=phase, code="59")
    href = re.search(f'href="({at("segment_item", phase.pk, last.pk)}[^"]*)"', second)[1]
    edit = unescape(href)
    assert 'value="59"' in text(admin.get(edit))
    values = {"edit-code": "59", "edit-description": "Changed", "seen": last.revision}
    answer = admin.post(edit, values)
    assert f"#item-{last.pk}" in answer.headers["Location"]
    assert "Changed" in text(admin.get(answer.headers["Location"].partition("#")[0]))
