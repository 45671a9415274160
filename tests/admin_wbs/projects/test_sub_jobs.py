"""Sub jobs of a project: the service, and the pages for admins, readers and others."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from admin_wbs.errors import SegmentRefused, StaleItem
from admin_wbs.models import Segment, SubJob
from admin_wbs.projects import structure as project_structure
from admin_wbs.projects import sub_jobs
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from erpbridge.access.levels import Level
from erpbridge.audit.models import Event
from tests.factories import (
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def segment(account):
    default_structure.ensure(account.pk)
    return Segment.objects.get(account=account, kind=Segment.Kind.SUB_JOB)


@pytest.fixture
def project(account, segment, ada):
    """A project that was created while sub jobs were enabled."""
    segment_services.enable(segment, on=True, by=ada)
    return ProjectFactory.create(account=account)


@pytest.fixture
def add(project, ada):
    return lambda code, name: sub_jobs.add(project, code=code, name=name, by=ada)


@pytest.fixture
def at(account, project):
    return lambda name, *rest: reverse(f"admin_wbs:{name}", args=[account.pk, project.pk, *rest])


def person(account, project, level):
    user = UserFactory.create()
    membership = MembershipFactory.create(user=user, account=account)
    ProjectMembershipFactory.create(membership=membership, project=project, admin=level)
    return user


def text(answer):
    return answer.content.decode()


# --- the service ----------------------------------------------------------------------------


def test_a_project_has_sub_jobs_once_the_account_enables_them(account, segment, ada):
    project = ProjectFactory.create(account=account)
    assert not sub_jobs.offered(project)
    with pytest.raises(SegmentRefused, match="not enabled"):
        sub_jobs.add(project, code="1", name="Garage", by=ada)
    segment_services.enable(segment, on=True, by=ada)
    assert sub_jobs.add(project, code="1", name="Garage", by=ada).is_active


def test_a_project_keeps_its_sub_jobs_when_the_account_disables_them(project, segment, ada, add):
    segment_services.enable(segment, on=False, by=ada)
    assert add("1", "Garage").pk


def test_code_and_name_are_each_taken_once_on_a_project(project, account, ada, add):
    add("A1", "Garage")
    with pytest.raises(ValidationError) as wrong:
        add("a1", "GARAGE")
    assert wrong.value.message_dict == {
        "code": ["a1 is taken by Garage."],
        "name": ["GARAGE is the name of A1 already."],
    }
    other = ProjectFactory.create(account=account)
    assert sub_jobs.add(other, code="A1", name="Garage", by=ada).pk


def test_missing_and_too_long_values_are_named(add):
    with pytest.raises(ValidationError) as wrong:
        add(" ", "N" * 256)
    assert set(wrong.value.message_dict) == {"code", "name"}


def test_a_change_is_told_in_the_history(add, ada):
    sub_job = add("1", "Garage")
    sub_jobs.change(sub_job, values={"code": "2", "name": "Garage"}, seen=1, by=ada)
    event = Event.objects.get(entity="sub_job", verb="edited")
    assert event.data["changes"] == {"code": ["1", "2"]}


def test_a_change_on_top_of_somebody_elses_is_refused(add, ada):
    sub_job = add("1", "Garage")
    sub_jobs.change(sub_job, values={"name": "Parking"}, seen=1, by=ada)
    with pytest.raises(StaleItem):
        sub_jobs.change(sub_job, values={"name": "Tower"}, seen=1, by=ada)


def test_what_another_system_knows_keeps_its_code_and_is_not_deleted(add, ada):
    sub_job = add("1", "Garage")
    SubJob.objects.filter(pk=sub_job.pk).update(origin_id="J-1")
    with pytest.raises(SegmentRefused, match="known to another system"):
        sub_jobs.change(sub_job, values={"code": "2"}, seen=1, by=ada)
    with pytest.raises(SegmentRefused, match="Deactivate it instead"):
        sub_jobs.delete(sub_job, by=ada)
    assert not sub_jobs.switch(sub_job, active=False, by=ada).is_active


def test_a_deleted_sub_job_is_gone_and_said_to_be(add, ada):
    sub_job = add("1", "Garage")
    sub_jobs.delete(sub_job, by=ada)
    with pytest.raises(SegmentRefused, match="has been deleted"):
        sub_jobs.switch(sub_job, active=False, by=ada)


def test_a_segment_with_sub_jobs_stays_in_the_structure(project, segment, ada, add):
    sub_job = add("1", "Garage")
    with pytest.raises(SegmentRefused, match="The project has 1 sub job"):
        project_structure.remove(project, segment, by=ada)
    sub_jobs.delete(sub_job, by=ada)
    project_structure.remove(project, segment, by=ada)
    assert segment not in default_structure.of_project(project)


# --- the pages ------------------------------------------------------------------------------


def test_an_admin_of_the_project_adds_edits_deactivates_and_deletes(
    client_of, account, project, at
):
    client = client_of(person(account, project, Level.ADMIN))
    client.post(at("sub_jobs"), {"code": "1", "name": "Garage"})
    sub_job = SubJob.objects.get(project=project)
    edit = {"code": "1", "name": "Parking", "seen": sub_job.revision}
    assert client.post(at("sub_job", sub_job.pk), edit).status_code == 302
    client.post(at("sub_job_switch", sub_job.pk), {"active": "0"})
    sub_job.refresh_from_db()
    assert (sub_job.name, sub_job.is_active) == ("Parking", False)
    client.post(at("sub_job_switch", sub_job.pk), {"active": "1"})
    sub_job.refresh_from_db()
    assert sub_job.is_active
    assert "Delete sub job?" in text(client.get(at("sub_job_delete", sub_job.pk)))
    client.post(at("sub_job_delete", sub_job.pk))
    assert not SubJob.objects.exists()


def test_a_reader_sees_them_and_changes_nothing(client_of, account, project, at, add):
    sub_job = add("1", "Garage")
    client = client_of(person(account, project, Level.READ_ONLY))
    page = text(client.get(at("sub_jobs"))).split('id="content"')[1]
    assert "Garage" in page
    assert 'method="post"' not in page
    posts = [at("sub_jobs"), at("sub_job", sub_job.pk), at("sub_job_switch", sub_job.pk)]
    posts += [at("sub_job_delete", sub_job.pk), at("project_structure")]
    assert {client.post(path).status_code for path in posts} == {403}


def test_a_value_that_is_taken_is_told_beside_its_field(client_of, ada, at, add):
    add("1", "Garage")
    answer = client_of(ada).post(at("sub_jobs"), {"code": "1", "name": "Tower"})
    assert "1 is taken by Garage." in text(answer)
    assert 'value="Tower"' in text(answer)


def test_a_script_gets_the_new_row_or_what_was_typed_with_the_reason(client_of, ada, at):
    client, part = client_of(ada), {"HX-Request": "true"}
    typed = {"code": "1", "name": "Garage", "key": "typed-2"}
    assert "Added the sub job 1 Garage." in text(client.post(at("sub_jobs"), typed, headers=part))
    refused = text(client.post(at("sub_jobs"), typed | {"name": "Tower"}, headers=part))
    assert "1 is taken by Garage." in refused
    assert 'id="typed-2_name" value="Tower"' in refused
    again = text(client.post(at("sub_jobs"), typed | {"again": "1"}, headers=part))
    assert "Added the sub job 1 Garage." in again
    assert SubJob.objects.count() == 1


def test_a_sub_job_of_another_project_is_not_found(client_of, ada, account, at):
    other = ProjectFactory.create(account=account)
    strange = sub_jobs.add(other, code="1", name="Garage", by=ada)
    assert client_of(ada).get(at("sub_job", strange.pk)).status_code == 404


def test_a_project_without_sub_jobs_says_who_can_enable_them(client_of, account, segment, ada):
    project = ProjectFactory.create(account=account)
    path = reverse("admin_wbs:sub_jobs", args=[account.pk, project.pk])
    answer = client_of(ada).get(path)
    assert "Sub Job is not enabled" in text(answer)
    assert "add-form" not in text(answer)
    answer = client_of(ada).post(path, {"code": "1", "name": "x"})
    assert "Sub Job is not enabled" in text(answer)
    assert not SubJob.objects.exists()
