from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs.cost_types import code_cost_types
from admin_wbs.cost_types import services as cost_type_services
from admin_wbs.errors import ReadOnly, SegmentRefused
from admin_wbs.models import CodeCostType, CostType
from admin_wbs.segments import default_structure
from erpbridge.audit.models import Event
from tests.admin_wbs import erps
from tests.factories import CodeListFactory, CostCodeFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def of(account):
    """The account's cost type with a code."""
    default_structure.ensure(account.pk)
    return lambda code: CostType.objects.get(account=account, code=code)


def add(account, ada, code="DL", label="Direct Labor", base_type="labor"):
    return cost_type_services.add(account, code=code, label=label, base_type=base_type, by=ada)


# --- the list -------------------------------------------------------------------------------


def test_an_account_starts_with_seven_cost_types(account):
    default_structure.ensure(account.pk)
    cost_types = CostType.objects.filter(account=account).in_order()
    assert [str(cost_type) for cost_type in cost_types] == [
        "L Labor",
        "E Equipment",
        "M Materials",
        "S Commitment",
        "OC Owner Cost",
        "SVC Professional Services",
        "O Other",
    ]
    assert {cost_type.base_type for cost_type in cost_types} == set(CostType.Base.values)


def test_the_first_own_cost_type_comes_with_the_defaults(account, ada):
    add(account, ada)
    assert CostType.objects.filter(account=account).count() == 8


def test_code_and_label_of_a_default_can_be_changed_and_its_base_type_cannot(of, ada):
    values = {"code": "C", "label": "Subcontract", "base_type": "other"}
    changed = cost_type_services.change(of("S"), values=values, by=ada)
    changed.refresh_from_db()
    assert (str(changed), changed.base_type) == ("C Subcontract", "commitment")


def test_the_base_type_of_an_own_cost_type_can_be_changed(account, ada):
    changed = cost_type_services.change(add(account, ada), values={"base_type": "other"}, by=ada)
    assert CostType.objects.get(pk=changed.pk).base_type == "other"


def test_a_code_is_taken_whatever_its_case(of, account, ada):
    with pytest.raises(ValidationError, match="Another cost type has the code svc"):
        add(account, ada, code="svc")
    with pytest.raises(ValidationError, match="Another cost type has the code l"):
        cost_type_services.change(of("E"), values={"code": "l"}, by=ada)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"code": " "}, "code"),
        ({"code": "x" * 31}, "code"),
        ({"label": ""}, "label"),
        ({"label": "x" * 101}, "label"),
        ({"base_type": "gold"}, "base_type"),
    ],
)
def test_bad_values_are_refused_by_field(account, ada, values, field):
    with pytest.raises(ValidationError) as refused:
        add(account, ada, **values)
    assert set(refused.value.message_dict) == {field}


def test_a_default_cannot_be_deleted(of, ada):
    with pytest.raises(SegmentRefused, match="one of the seven defaults"):
        cost_type_services.delete(of("O"), by=ada)


def test_an_unused_own_cost_type_can_be_deleted(account, ada):
    made = add(account, ada)
    cost_type_services.delete(made, by=ada)
    assert not CostType.objects.filter(pk=made.pk).exists()
    with pytest.raises(SegmentRefused, match="DL Direct Labor has been deleted"):
        cost_type_services.change(made, values={"label": "x"}, by=ada)


# --- the matrix -----------------------------------------------------------------------------


@pytest.fixture
def erp_list(account, ada):
    return erps.connect(account, by=ada)


@pytest.fixture
def code(erp_list):
    return CostCodeFactory.create(list=erp_list, code="03", description="Concrete")


def ticked(code):
    return sorted(code.cost_type_ticks.values_list("cost_type__code", flat=True))


def test_boxes_are_ticked_and_unticked(erp_list, code, of, ada):
    labor, other = (code.pk, of("L").pk), (code.pk, of("O").pk)
    assert code_cost_types.tick(erp_list, on=[labor, other], off=[], by=ada) == 2
    assert code_cost_types.tick(erp_list, on=[labor], off=[other], by=ada) == 1
    assert ticked(code) == ["L"]
    event = Event.objects.about(erp_list.account_id, "cost_code", code.pk)[0]
    assert event.data["changes"] == {"Cost type O Other": ["ticked", "not ticked"]}


def test_ticking_does_not_make_pages_of_the_list_stale(erp_list, code, of, ada):
    code_cost_types.tick(erp_list, on=[(code.pk, of("L").pk)], off=[], by=ada)
    before = (erp_list.revision, code.revision)
    erp_list.refresh_from_db()
    code.refresh_from_db()
    assert (erp_list.revision, code.revision) == before


def test_what_belongs_to_others_is_left_out(erp_list, code, of, ada, other_account):
    default_structure.ensure(other_account.pk)
    strange_type = CostType.objects.filter(account=other_account)[0].pk
    strange_code = CostCodeFactory.create(list=CodeListFactory(account=other_account)).pk
    pairs = [(code.pk, strange_type), (strange_code, of("L").pk), (0, 0)]
    assert code_cost_types.tick(erp_list, on=pairs, off=[], by=ada) == 0
    assert not CodeCostType.objects.exists()


def test_only_the_erp_list_has_cost_types(account, code_list, of, ada):
    with pytest.raises(ReadOnly, match="ERP Standard Cost Codes list only"):
        code_cost_types.tick(code_list, on=[], off=[], by=ada)
    with pytest.raises(ReadOnly, match="ERP Standard Cost Codes list only"):
        code_cost_types.tick_column(code_list, of("L"), words="", ticked=True, by=ada)


def test_the_list_of_an_erp_that_is_gone_takes_no_ticks(account, of, ada):
    disconnected_list = CodeListFactory.create(account=account, connection_id=1)
    with pytest.raises(ReadOnly, match="not connected any more"):
        code_cost_types.tick(disconnected_list, on=[], off=[], by=ada)


def test_a_column_is_ticked_for_every_active_code_that_matches(erp_list, code, of, ada):
    steel = CostCodeFactory.create(list=erp_list, code="05", description="Steel")
    idle = CostCodeFactory.create(list=erp_list, description="Concrete fill", is_active=False)
    assert (
        code_cost_types.tick_column(erp_list, of("L"), words="concrete", ticked=True, by=ada) == 1
    )
    assert (ticked(code), ticked(steel), ticked(idle)) == (["L"], [], [])
    assert code_cost_types.tick_column(erp_list, of("L"), words="", ticked=True, by=ada) == 1
    event = Event.objects.about(erp_list.account_id, "cost_code_list", erp_list.pk)[0]
    assert event.data["changes"] == {"Cost type L Labor": ["", "ticked for 1 code"]}
    assert code_cost_types.tick_column(erp_list, of("L"), words="", ticked=False, by=ada) == 2
    assert not CodeCostType.objects.exists()


def test_a_ticked_cost_type_is_in_use(erp_list, code, account, ada):
    made = add(account, ada)
    code_cost_types.tick(erp_list, on=[(code.pk, made.pk)], off=[], by=ada)
    with pytest.raises(SegmentRefused, match="It is ticked for 1 cost code"):
        cost_type_services.delete(made, by=ada)
