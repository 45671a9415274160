"""Routes that Procore deprecated with its Work Breakdown Structure, on 31 March 2022."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from admin_wbs.models import CodeList, Segment
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from tests.admin_wbs.steps import tree
from tests.erp_integrations import steps


@pytest.fixture
def deprecated(api, account, project, ada) -> list[tuple[str, str]]:
    """Method and address of each deprecated route, of something that is there."""
    connection = steps.connect(account, by=ada)
    erp_list = CodeList.objects.get(connection_id=connection.pk)
    code = tree(erp_list, ada, "01 General")["01"]
    default_structure.ensure(account.pk)
    segment_services.enable(Segment.objects.get(account=account, kind="sub_job"), on=True, by=ada)
    body = {"project_id": project.pk, "sub_job": {"code": "N", "name": "North"}}
    job = api.post("sub_jobs", body).json()
    return [
        ("GET", "standard_cost_code_lists"),
        ("DELETE", f"standard_cost_codes/{code.pk}"),
        ("DELETE", f"sub_jobs/{job['id']}?project_id={project.pk}"),
    ]


def test_three_routes_say_since_when_they_are_deprecated_and_no_end(api, deprecated):
    for method, path in deprecated:
        answer = api(method, path)
        assert answer.status_code == 200
        moment = datetime.fromtimestamp(int(answer["Deprecation"].removeprefix("@")), UTC)
        assert moment == datetime(2022, 3, 31, tzinfo=UTC)
        assert "Sunset" not in answer


def test_who_has_the_list_already_is_told_as_well(api, deprecated):
    first = api.get("standard_cost_code_lists")
    again = api.get("standard_cost_code_lists", If_None_Match=first["ETag"])
    assert (again.status_code, again["Deprecation"]) == (304, first["Deprecation"])


def test_what_stands_in_their_place_and_beside_them_does_not(api, account, project, deprecated):
    wbs = f"companies/{account.pk}/work_breakdown_structure"
    segment = Segment.objects.get(account=account, kind="cost_code")
    (code_list,) = api.get("standard_cost_code_lists").json()
    for path in (
        f"{wbs}/segments/{segment.pk}/lists",
        f"standard_cost_code_lists/{code_list['id']}",
        f"standard_cost_codes?standard_cost_code_list_id={code_list['id']}",
        f"sub_jobs?project_id={project.pk}",
    ):
        answer = api.get(path)
        assert answer.status_code == 200
        assert "Deprecation" not in answer
