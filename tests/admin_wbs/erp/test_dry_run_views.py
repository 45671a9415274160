"""Check against another ERP: the page and the file, for a list that no ERP has to know of."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse

from admin_wbs.erp import dry_run
from admin_wbs.models import CostCode
from admin_wbs.models.full_code import sort_path
from erp_integrations.adapters.registry import AdapterUnavailable
from tests.factories import CostCodeFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client_of, ada, code_list):
    def get(name: str = "check", **query: str):
        path = reverse(f"admin_wbs:{name}", args=[code_list.account_id, code_list.pk])
        return client_of(ada).get(path, query)

    return get


@pytest.fixture
def codes(code_list):
    """Three that fit the simulator, one too long in two ways, one too long in one."""
    division = CostCodeFactory.create(list=code_list, code="03", description="Concrete")
    CostCodeFactory.create(list=code_list, parent=division, code="100", description="Forms")
    CostCodeFactory.create(list=code_list, code="04", description="Masonry")
    CostCodeFactory.create(list=code_list, code="9" * 21, description="D" * 41)
    CostCodeFactory.create(list=code_list, code="05", description="=" + "D" * 40)


def text(answer):
    return answer.content.decode()


def rows(answer):
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(content)))


def test_the_page_of_a_list_leads_there(client_of, ada, codes, code_list):
    answer = client_of(ada).get(
        reverse("admin_wbs:list", args=[code_list.account_id, code_list.pk])
    )
    href = reverse("admin_wbs:check", args=[code_list.account_id, code_list.pk])
    assert f'href="{href}"' in text(answer)


def test_nothing_is_checked_before_an_erp_is_chosen(page, codes):
    answer = page()
    assert "verdict" not in answer.context
    assert {adapter.key for adapter in answer.context["offered"]} == {"simulator", "tryton"}
    assert "verdict" not in page(erp="nobody").context


def test_each_code_that_does_not_fit_is_shown_with_each_rule(page, codes):
    answer = page(erp="simulator")
    verdict = answer.context["verdict"]
    assert verdict.checked == 5
    assert [code.full_code for code in verdict.failing] == ["05", "9" * 21]
    assert verdict.by_rule == {"Description: too long": 2, "Code: too long": 1}
    assert "2 of 5 codes do not fit" in text(answer)
    assert "must be 20 characters or fewer; it has 21." in text(answer)
    only = page(erp="simulator", rule="Code: too long")
    assert [code.full_code for code in only.context["slice"].rows] == ["9" * 21]


def test_a_list_that_fits_is_told_so(page, codes):
    answer = page(erp="tryton")
    assert "All 5 codes fit" in text(answer)
    assert "Export failures" not in text(answer)


def test_inactive_codes_are_counted_and_not_checked(page, codes):
    CostCode.objects.filter(full_code="05").update(is_active=False)
    answer = page(erp="simulator")
    assert answer.context["verdict"].checked == 4
    assert "1 inactive code was not checked" in text(answer)


def test_a_list_without_codes_has_nothing_to_check(page):
    assert "Nothing to check" in text(page(erp="simulator"))


def test_the_failures_come_as_a_file_with_a_line_for_each_rule(page, codes):
    answer = page("check_csv", erp="simulator", rule="Code: too long")
    assert "Simulator ERP.csv" in answer.headers["Content-Disposition"]
    heading, *lines = rows(answer)
    assert heading == ["Code", "Description", "Rule", "Why", "Now", "Allowed"]
    assert [(line[0], line[2], line[4], line[5]) for line in lines] == [
        ("05", "Description: too long", "41", "40"),
        ("9" * 21, "Code: too long", "21", "20"),
        ("9" * 21, "Description: too long", "41", "40"),
    ]
    assert lines[0][1].startswith("'="), "no cell becomes a formula"


def test_there_is_no_file_for_an_erp_that_is_not_there(page, codes):
    assert page("check_csv").status_code == 404
    assert page("check_csv", erp="nobody").status_code == 404


def test_a_broken_adapter_is_told_and_is_no_crash(page, codes, monkeypatch):
    def broken(*_args):
        raise AdapterUnavailable("simulator", "cannot be loaded")

    monkeypatch.setattr("admin_wbs.erp.dry_run.sendable.check_against", broken)
    assert "cannot be loaded" in text(page(erp="simulator"))
    assert page("check_csv", erp="simulator").status_code == 302


def test_thousands_of_codes_are_checked_in_few_queries(
    page, code_list, django_assert_max_num_queries
):
    CostCode.objects.bulk_create(
        (
            CostCode(
                account_id=code_list.account_id,
                list=code_list,
                code=f"{number:05}",
                description="D" * 41,
                path=[f"{number:05}"],
                full_code=f"{number:05}",
                sort_path=sort_path([f"{number:05}"]),
                depth=0,
            )
            for number in range(3_000)
        ),
        batch_size=500,
    )
    simulator = next(adapter for adapter in dry_run.offered() if adapter.key == "simulator")
    with django_assert_max_num_queries(12):
        assert len(dry_run.check(code_list, simulator).failing) == 3_000
    answer = page(erp="simulator", page="30")
    assert "2,901 to 3,000 of 3,000 codes" in text(answer).replace("’", "'")
