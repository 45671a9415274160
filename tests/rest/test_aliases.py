"""Addresses that Procore does not have and pyprocore 2.4 asks for; they only read."""

from __future__ import annotations

import pytest

from admin_wbs.cost_codes import list_services
from admin_wbs.segments import default_structure
from directory.models import Department
from tests.admin_wbs.steps import tree


@pytest.fixture
def addresses(account, project, ada) -> dict[str, str]:
    """Alias -> the address of Procore's that answers the same."""
    code_list = list_services.create(account=account, name="Residential", by=ada)
    tree(code_list, ada, "01 General", "02 Sitework")
    default_structure.ensure(account.pk)
    department = Department.objects.create(account=account, name="Estimating")
    company = f"companies/{account.pk}"
    codes = f"standard_cost_codes?standard_cost_code_list_id={code_list.pk}"
    return {
        f"{company}/cost_codes": codes,
        f"{company}/standard_cost_code_lists/{code_list.pk}/cost_codes": codes,
        f"{company}/cost_types": "line_item_types",
        f"{company}/departments": "departments",
        f"{company}/departments/{department.pk}": f"departments/{department.pk}",
        f"projects/{project.pk}/wbs_codes": (
            f"projects/{project.pk}/work_breakdown_structure/wbs_codes"
        ),
    }


def test_each_address_answers_as_procores_does(api, addresses):
    api.company = None  # pyprocore may leave the header out: the path names the company.
    for alias, address in addresses.items():
        company = alias.split("/")[1] if alias.startswith("companies") else ""
        joint = "&" if "?" in address else "?"
        wanted = api.get(f"{address}{joint}company_id={company}" if company else address)
        response = api.get(alias)
        assert response.status_code == wanted.status_code == 200
        assert response.json() == wanted.json()
        if alias.endswith(("codes", "types", "departments")) and "wbs" not in alias:
            assert response.json()
            assert response["Total"] == str(len(response.json()))


def test_the_codes_of_a_company_are_those_of_all_its_lists(api, account, addresses, ada):
    tree(list_services.create(account=account, name="Commercial", by=ada), ada, "05 Metals")
    response = api.get(f"companies/{account.pk}/cost_codes?per_page=2")
    assert [code["full_code"] for code in response.json()] == ["01", "02"]
    assert response["Total"] == "3"


def test_nothing_is_written_there(api, addresses):
    for alias in addresses:
        for method in ("POST", "PATCH", "DELETE"):
            assert api(method, alias, {"name": "x"}).status_code == 405


def test_tax_codes_are_not_there(api, account):
    assert api.get(f"companies/{account.pk}/tax_codes").status_code == 404
