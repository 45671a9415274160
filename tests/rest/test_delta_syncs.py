"""A program that reads what changed since it last read finds everything that changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db.models.functions import Now

from admin_wbs.models import CostCode, ProjectCostCode, Segment, SubJob
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from directory.models import Company
from erp_integrations.models import Link
from erpbridge.access.models import Membership, Project
from tests.erp_integrations.api import steps
from tests.erp_integrations.steps import decide, send_all, unlink
from tests.factories import CompanyFactory

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SINCE = "filters[updated_at]=2021-01-01...2999-01-01"


@pytest.mark.parametrize(
    ("model", "row", "listed", "path", "wrapper"),
    [
        (Company, "company", "vendors", "vendors/{}", "vendor"),
        (
            CostCode,
            "code",
            "standard_cost_codes?standard_cost_code_list_id={list}",
            "standard_cost_codes/{}?standard_cost_code_list_id={list}",
            "standard_cost_code",
        ),
        (SubJob, "sub_job", "sub_jobs?project_id={project}", "sub_jobs/{}", "sub_job"),
        (Membership, "user", "users", "users/{}", "user"),
        (Project, "project", "projects", "projects/{}", "project"),
    ],
)
def test_an_origin_id_that_was_set_counts_as_a_change(
    model, row, listed, path, wrapper, ours, api, project, account, ada
):
    default_structure.ensure(account.pk)
    sub_jobs = account.segments.get(kind=Segment.Kind.SUB_JOB)
    segment_services.enable(sub_jobs, on=True, by=ada)
    model._base_manager.update(updated_at=LONG_AGO)
    names = {"list": ours["code_list"], "project": project.pk}
    address = listed.format(**names)
    address += ("&" if "?" in address else "?") + SINCE
    assert api.get(address).json() == []
    body = {wrapper: {"origin_id": "E-1"}, "project_id": project.pk}
    changed = api.patch(path.format(ours[row], **names), body)
    assert changed.status_code == 200, changed.content
    assert [record["id"] for record in api.get(address).json()] == [ours[row]]


def test_a_finished_export_and_an_unlinking_count_as_changes(api, account, ada, pat, access_of):
    connection = steps.connect(account, by=ada)
    company = CompanyFactory.create(account=account, name="Quarry & Sons, LLC")
    decide(send_all([company], access_of(ada)), access_of(pat))
    Company._base_manager.update(updated_at=LONG_AGO)
    steps.export(connection)
    changed = api.get(f"vendors?{SINCE}").json()
    assert [(vendor["id"], bool(vendor["origin_id"])) for vendor in changed] == [(company.pk, True)]
    Company._base_manager.update(updated_at=LONG_AGO)
    assert not unlink(Link.objects.get(ended_at=None), by=ada)
    changed = api.get(f"vendors?{SINCE}").json()
    assert [(vendor["id"], vendor["origin_id"]) for vendor in changed] == [(company.pk, None)]


def test_a_code_that_a_project_was_given_counts_as_a_change_however_old_it_is(ours, api, project):
    CostCode._base_manager.update(updated_at=LONG_AGO)
    listed = f"cost_codes?project_id={project.pk}&{SINCE}"
    (added,) = api.get(listed).json()
    assert (added["id"], added["updated_at"]) == (ours["project_code"], added["created_at"])
    ProjectCostCode._base_manager.update(added_at=LONG_AGO)
    assert api.get(listed).json() == []
    CostCode._base_manager.update(updated_at=Now())
    assert [one["id"] for one in api.get(listed).json()] == [ours["project_code"]]
