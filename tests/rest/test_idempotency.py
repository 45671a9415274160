"""The same call twice with one key has one effect, whatever the clocks say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.utils import timezone

from admin_wbs.segments import services as segment_services
from directory.models import Company
from erpbridge.rest import idempotency
from erpbridge.rest.models import Remembered
from tests.erp_integrations.steps import let_pass
from tests.wall_clock import jump

pytestmark = pytest.mark.django_db
FIRM = {"vendor": {"name": "Firm"}}


@pytest.mark.parametrize("header", ["Idempotency_Key", "Idempotency_Token"])
def test_the_same_call_with_one_key_has_one_effect(api, header):
    body = {"vendor": {"name": "Firm"}}
    first = api.post("vendors", body, **{header: "k-1"})
    second = api.post("vendors", body, **{header: "k-1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert Company.objects.count() == 1


def test_it_is_answered_again_with_the_etag_that_the_record_had_then(api):
    first, again = (api.post("vendors", FIRM, Idempotency_Key="k") for _ in range(2))
    assert again["ETag"] == first["ETag"]
    path, body = f"vendors/{first.json()['id']}", {"vendor": {"city": "Bend"}}
    assert api.patch(path, body, If_Match=again["ETag"]).status_code == 200
    late = api.post("vendors", FIRM, Idempotency_Key="k")
    assert api.patch(path, body, If_Match=late["ETag"]).status_code == 412


def test_a_refusal_is_answered_again_in_the_form_that_it_had(api):
    accept = {"Accept": "application/problem+json"}
    body = {"vendor": {"name": ""}}
    first, again = (api.post("vendors", body, Idempotency_Key="k", **accept) for _ in range(2))
    assert again["Content-Type"] == first["Content-Type"] == "application/problem+json"
    assert "ETag" not in again


def test_what_has_no_body_is_answered_again_without_one(api, account, ada):
    segment = segment_services.add(account, name="Phase", tiered=False, project_items=True, by=ada)
    path = f"companies/{account.pk}/work_breakdown_structure/segments/{segment.pk}"
    first, again = (api.patch(path, {"name": "Stage"}, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
    assert "Content-Type" not in again
    assert again["ETag"] == first["ETag"]


def test_one_key_for_two_requests_is_422(api):
    api.post("vendors", {"vendor": {"name": "Firm"}}, Idempotency_Key="k")
    assert (
        api.post("vendors", {"vendor": {"name": "Other"}}, Idempotency_Key="k").status_code == 422
    )


def test_a_call_that_still_runs_is_409_and_one_whose_process_died_is_done_anew(api):
    assert api.post("vendors", FIRM, Idempotency_Key="k").status_code == 201
    Remembered.objects.update(status=None)
    assert api.post("vendors", FIRM, Idempotency_Key="k").status_code == 409
    let_pass(idempotency.LONGEST_CALL - 10)
    assert api.post("vendors", FIRM, Idempotency_Key="k").status_code == 409
    let_pass(20)
    assert api.post("vendors", FIRM, Idempotency_Key="k").status_code == 201


@pytest.mark.parametrize("seconds", [-3_600, 3_600], ids=["back", "ahead"])
def test_no_jump_of_a_clock_lets_a_call_in_beside_the_one_that_runs(api, seconds):
    assert api.post("vendors", FIRM, Idempotency_Key="k").status_code == 201
    Remembered.objects.update(status=None)
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)), jump(seconds):
        assert api.post("vendors", FIRM, Idempotency_Key="k").status_code == 409


def test_a_call_whose_key_was_given_to_another_is_taken_back(api):
    def let_another_in(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(f'INSERT INTO "{Company._meta.db_table}"'):
            Remembered.objects.all().delete()
        return execute(sql, *rest)

    with database.execute_wrapper(let_another_in):
        answer = api.post("vendors", FIRM, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["errors"]) == (409, idempotency.TAKEN_OVER)
    assert not Company.objects.exists()


def test_a_refusal_is_remembered_too_and_leaves_nothing(api):
    body = {"vendor": {"name": ""}}
    first = api.post("vendors", body, Idempotency_Key="k")
    assert first.status_code == 422
    assert api.post("vendors", body, Idempotency_Key="k")["Idempotency-Replayed"] == "true"


def test_a_key_is_free_again_after_a_day_and_no_sooner(api):
    other = {"vendor": {"name": "Other"}}
    api.post("vendors", FIRM, Idempotency_Key="k")
    let_pass(idempotency.KEPT - 10)
    assert api.post("vendors", other, Idempotency_Key="k").status_code == 422
    let_pass(20)
    assert api.post("vendors", other, Idempotency_Key="k").status_code == 201
