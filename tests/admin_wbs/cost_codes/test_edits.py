"""One edit and many at once: the same rules, the same reasons."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from admin_wbs.cost_codes import bulk_services, list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.cost_codes.bulk_services import CodeRow
from admin_wbs.errors import CodeRefused
from admin_wbs.models import CostCode
from admin_wbs.projects import cost_codes
from erp_integrations.models.states import State
from tests.admin_wbs.cost_codes.test_services import code_labels, tree
from tests.factories import CodeListFactory, ProjectFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def code_list(account):
    return CodeListFactory.create(account=account)


@pytest.fixture
def made(code_list, ada):
    rows = ["01 General", "02 Site", "01-100 Survey", "02-100 Clearing", "01-100-1 Stakes"]
    return tree(code_list, ada, *rows)


@pytest.fixture
def rename(code_list, ada):
    """Rename many codes in one call: the errors of each row."""

    def run(codes: dict[CostCode, str]) -> list[dict[str, list[str]]]:
        rows = [CodeRow(pk=code.pk, code=text) for code, text in codes.items()]
        bulk_services.store(list_services.lock_open(code_list.pk), rows, by=ada)
        return [row.errors for row in rows]

    return run


def known(made, by):
    CostCode.objects.filter(pk=made["01-100"].pk).update(origin_id="7")


def used(made, by):
    project = ProjectFactory.create(account=made["01"].account, number="7", name="Pier")
    cost_codes.add(made["01"].list, [made["01-100-1"].pk], project=project, by=by)


def waits(made, by):
    CostCode.objects.filter(pk=made["01-100-1"].pk).update(erp_state=State.READY)


@pytest.mark.parametrize(
    ("obstacle", "why"),
    [
        (known, "The ERP knows it, or a code under it, by this code."),
        (used, "It, or a code under it, is in use on project 7 Pier."),
        (
            waits,
            "A code under it waits for accounting or is being exported. Retrieve it, or have "
            "accounting reject it, first.",
        ),
    ],
)
def test_one_edit_and_many_are_refused_for_the_same_reason(
    made, ada, rename, code_list, obstacle, why
):
    obstacle(made, ada)
    with pytest.raises(CodeRefused) as refused:
        code_services.edit(made["01"], values={"code": "09"}, seen=1, by=ada)
    assert str(refused.value) == f"The code 01 cannot be changed. {why}"
    assert rename({made["01"]: "09", made["02"]: "08"}) == [
        {"code": [f"cannot be changed. {why}"]},
        {},
    ]
    assert code_labels(code_list)[-2:] == ["08 Site", "08-100 Clearing"]


def test_a_code_that_waits_itself_is_refused_as_a_whole(made, rename):
    waits(made, None)
    [errors] = rename({made["01-100-1"]: "2"})
    assert errors == {"base": ["It waits for accounting or is being exported. Retrieve it first."]}


def test_a_parent_and_its_child_are_renamed_in_one_call_and_what_is_under_both_follows(
    made, rename, code_list
):
    assert rename({made["01-100"]: "200", made["01"]: "05"}) == [{}, {}]
    assert code_labels(code_list) == [
        *("02 Site", "02-100 Clearing"),
        *("05 General", "05-200 Survey", "05-200-1 Stakes"),
    ]
    assert {code.revision for code in CostCode.objects.filter(path__0="05")} == {2}


def test_a_taken_code_is_named_in_one_edit_and_in_many(made, ada, rename, code_list):
    with pytest.raises(ValidationError, match="02 is taken by Site"):
        code_services.edit(made["01"], values={"code": "02"}, seen=1, by=ada)
    assert rename({made["01"]: "02"}) == [{"code": ["02 is taken by Site."]}]
    code_services.add(code_list, code="03-100", description="Flat", by=ada)
    under = "A code under it would become 03-100, which is taken."
    assert rename({made["01"]: "03"}) == [{"code": [under]}]
