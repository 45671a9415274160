"""The page of a job: who sees it, and what it shows while the job runs and afterwards."""

from __future__ import annotations

import pytest
from django.urls import reverse

from erpbridge.access import policy
from erpbridge.jobs import run
from erpbridge.jobs.models import Job
from erpbridge.jobs.start import start
from tests.jobs import counting

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(account, ada):
    access = policy.load(ada, account)
    given = {"subject": "x", "title": "Count to 1,200", "back": "/there/", "total": 1200}
    made, _new = start(counting.KIND, access=access, args={"refuse_at": 7}, **given)
    return made


@pytest.fixture
def address(job, account):
    return reverse("jobs:job", args=[account.pk, job.public_id])


def test_a_running_job_shows_its_progress_and_asks_again(job, address, client_of, ada):
    Job.objects.filter(pk=job.pk).update(state="running", done=480)
    page = client_of(ada).get(address).content.decode()
    assert "480 of 1,200" in page
    assert f'hx-get="{address}"' in page
    assert "Reload to see progress" in page


def test_the_answer_to_htmx_is_the_banner_and_reloads_the_page_at_the_end(
    job, address, client_of, ada
):
    client = client_of(ada)
    answer = client.get(address, headers={"HX-Request": "true"})
    assert "<html" not in answer.content.decode()
    assert "HX-Refresh" not in answer.headers
    Job.objects.update(state="done")
    assert client.get(address, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_a_job_that_stopped_says_why_and_how_far_it_came(job, address, client_of, ada):
    run.work(job.pk)
    page = client_of(ada).get(address).content.decode()
    assert "Seven is right out." in page
    assert "6 of 1,200" in page
    assert "/there/" in page


def test_who_may_not_see_the_kind_does_not_find_the_job(address, client_of, pat, olga):
    assert client_of(pat).get(address).status_code == 404
    assert client_of(olga).get(address).status_code == 404


def test_a_job_of_the_account_is_not_one_of_a_project(job, account, project, client_of, ada):
    address = reverse("jobs:project_job", args=[account.pk, project.pk, job.public_id])
    assert client_of(ada).get(address).status_code == 404
