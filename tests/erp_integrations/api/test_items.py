"""The acceptance queue over HTTP: reading it, and deciding."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from directory.models import Company
from erp_integrations.clock import now
from erp_integrations.models import Attempt, Item
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from erpbridge.jobs.models import Job
from tests.erp_integrations.api import steps
from tests.erp_integrations.steps import decide, run_jobs, send_all, unlink, update_item
from tests.factories import CompanyFactory, ItemFactory


@pytest.fixture
def connection(account, ada):
    return steps.connect(account, by=ada)


@pytest.fixture
def access(account, ada):
    return policy.load(ada, account)


@pytest.fixture
def item(account, connection, access) -> Item:
    """A company that Ada has sent."""
    company = CompanyFactory.create(account=account, name="Quarry & Sons, LLC")
    return send_all([company], access)[0]


@pytest.fixture
def watcher(make_service):
    """Sees the queue and decides nothing."""
    return make_service("Watcher", levels=Levels(erp_integrations=Level.READ_ONLY))


def accept(api, item, **values):
    kind = steps.a_type(item.connection)
    body = {"digest": item.digest, "acceptance": {"vendor_type": kind, **values}}
    return steps.act(api, item, "accept", body)


def test_a_waiting_item_shows_what_will_be_written_and_what_to_fill_in(api, item):
    body = steps.show(api, item).json()
    assert (body["erp_status"], body["state"], body["operation"]) == (
        "ready_to_export",
        "ready",
        "create",
    )
    assert body["item_type"] == "vendor"
    assert body["payload"]["name"] == "Quarry & Sons, LLC"
    fields = {field["name"]: field for field in body["acceptance_fields"]}
    kinds = {choice["key"] for choice in fields["vendor_type"]["choices"]}
    assert kinds == set(
        item.connection.choices.filter(kind="vendor_type").values_list("code", flat=True)
    )
    assert fields["vendor_id"]["value"] == "QUARRYS001"
    written = {field["name"]: field["value"] for field in body["preview"]["fields"]}
    assert "Quarry & Sons, LLC" in written.values()
    assert body["history"][0]["event"] == "send"
    assert body["history"][0]["actor"]["name"] == "Ada Admin"
    assert body["available_actions"] == ["accept", "reject"]


def test_an_accepted_company_is_exported_and_carries_its_id(api, connection, item):
    response = accept(api, item, vendor_id="QUARRY01")
    assert (response.status_code, response.json()["erp_status"]) == (200, "exporting")
    steps.export(connection)
    body = steps.show(api, item).json()
    company = Company.objects.get(pk=item.record_id)
    assert (body["erp_status"], body["origin_code"]) == ("synced", "QUARRY01")
    assert company.origin_code == "QUARRY01"
    assert [attempt["outcome"] for attempt in body["attempts"]] == ["applied"]
    assert [entry["event"] for entry in body["history"]] == ["sync", "claim", "accept", "send"]
    assert body["decided_by"]["name"] == "Nightly sync"
    click = api.get(steps.company_of(api, f"erp_requests/{body['request_id']}")).json()
    assert click["progress"] == {"moving": 0, "synced": 1, "failed": 0}


def test_what_the_erp_said_word_for_word_is_told_to_administrators_of_the_tool_only(
    api, watcher, connection, item
):
    accept(api, item, vendor_id="QUARRY01")
    steps.export(connection)
    (attempt,) = steps.show(api, item).json()["attempts"]
    assert attempt["answer_excerpt"]
    (attempt,) = steps.show(watcher, item).json()["attempts"]
    assert attempt["answer_excerpt"] is None


def test_an_old_digest_is_409_and_a_missing_one_400(api, item):
    stale = steps.act(api, item, "accept", {"digest": "0" * 64})
    assert stale.status_code == 409
    assert "not the revision you looked at" in stale.json()["message"]
    missing = steps.act(api, item, "accept", {"acceptance": {}})
    assert (missing.status_code, set(missing.json()["errors"])) == (400, {"digest"})
    item.refresh_from_db()
    assert item.state == State.READY


def test_deciding_twice_is_409_that_says_who_decided(api, item):
    accept(api, item)
    again = accept(api, item)
    assert again.status_code == 409
    assert "Already decided by Nightly sync" in again.json()["message"]


def test_a_repeated_call_with_one_key_accepts_once(api, item):
    body = {"digest": item.digest, "acceptance": {"vendor_type": steps.a_type(item.connection)}}
    calls = [steps.act(api, item, "accept", body, Idempotency_Key="accept-1") for _ in range(2)]
    assert [response.status_code for response in calls] == [200, 200]
    assert calls[1]["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "values, field",
    [
        ({"vendor_type": "NOPE"}, "vendor_type"),
        ({"vendor_id": "X" * 300}, "vendor_id"),
        ({"vendor_type": ""}, "vendor_type"),
        ({"vendor_id": ["a"]}, "acceptance.vendor_id"),
    ],
)
def test_a_value_that_the_erp_does_not_take_is_422_by_field(api, item, values, field):
    response = accept(api, item, **values)
    assert response.status_code == 422
    assert field in response.json()["errors"]
    item.refresh_from_db()
    assert item.state == State.READY


def test_values_can_be_kept_before_deciding(api, item):
    path = steps.company_of(api, f"erp_queue/{item.pk}")
    kept = api.patch(path, {"acceptance": {"vendor_type": steps.a_type(item.connection)}})
    assert kept.status_code == 200
    wrong = api.patch(path, {"acceptance": {"vendor_type": "NOPE"}})
    assert (wrong.status_code, set(wrong.json()["errors"])) == (422, {"vendor_type"})
    item.refresh_from_db()
    assert item.acceptance["vendor_type"] == steps.a_type(item.connection)
    assert steps.act(api, item, "accept", {"digest": item.digest}).status_code == 200


def test_a_decision_with_if_match_of_another_state_is_412(api, item):
    tag = steps.show(api, item)["ETag"]
    changed = api.patch(
        steps.company_of(api, f"erp_queue/{item.pk}"), {"acceptance": {"vendor_id": "OTHER1"}}
    )
    assert changed.status_code == 200
    body = {"reason": "No"}
    assert steps.act(api, item, "reject", body, If_Match=tag).status_code == 412
    assert steps.act(api, item, "reject", body).status_code == 200


def test_a_rejected_item_goes_back_with_its_reason(api, item):
    assert steps.act(api, item, "reject", {}).status_code == 422
    response = steps.act(api, item, "reject", {"reason": "Wrong address"})
    body = response.json()
    assert (response.status_code, body["erp_status"]) == (200, "rejected")
    assert body["decision_note"] == "Wrong address"
    assert steps.act(api, item, "reject", {"reason": "Again"}).status_code == 409


@pytest.mark.parametrize("reason", [None, "", "x" * 1001, {"a": 1}, ["x"], "a\x00b", True])
def test_a_reason_that_cannot_be_is_422(api, item, reason):
    response = steps.act(api, item, "reject", {"reason": reason})
    assert (response.status_code, set(response.json()["errors"])) == (422, {"reason"})


def test_ones_own_item_is_left_to_a_second_approver(api, account, connection):
    account.senders_may_accept_own = False
    account.save()
    company = CompanyFactory.create(account=account)
    body = steps.send(api, company.pk).json()
    own = Item.objects.get(pk=body["erp_queue_id"])
    assert steps.show(api, own).json()["available_actions"] == ["reject"]
    response = accept(api, own)
    assert response.status_code == 403
    assert "a second approver" in response.json()["message"]


def test_an_accepted_item_can_be_withdrawn_before_it_has_left(api, item):
    accept(api, item)
    back = steps.act(api, item, "withdraw", {"reason": "Too early"})
    assert (back.status_code, back.json()["erp_status"]) == (200, "ready_to_export")
    assert steps.act(api, item, "withdraw", {"reason": "Again"}).status_code == 409


def test_an_item_that_nobody_has_decided_cannot_be_withdrawn(api, item):
    assert steps.act(api, item, "withdraw", {"reason": "Too early"}).status_code == 409


def test_a_failed_item_says_why_and_is_retried_with_other_values(api, connection, item):
    steps.break_erp(connection, "refuse")
    accept(api, item, vendor_id="QUARRY01")
    steps.export(connection)
    body = steps.show(api, item).json()
    assert body["erp_status"] == "failed_to_export", body
    assert body["error"]["message"]
    assert "retry" in body["available_actions"]
    again = steps.act(
        api, item, "retry", {"digest": item.digest, "acceptance": {"vendor_id": "QUARRY02"}}
    )
    assert again.status_code == 200
    steps.export(connection)
    assert steps.show(api, item).json()["origin_code"] == "QUARRY02"


def in_the_erp(connection, access, pat) -> str:
    """The key of a vendor that the ERP holds and no record is linked to."""
    other = CompanyFactory.create(account=connection.account)
    approver = policy.load(pat, connection.account)
    done = decide(send_all([other], access), approver, vendor_id="QUARRY77")
    assert done.refused == ()
    steps.export(connection)
    link = connection.links.get(erp_code="QUARRY77")
    assert not unlink(link, by=access.user)
    return "QUARRY77"


@pytest.fixture
def asking(item) -> Item:
    """An item whose outcome nobody knows."""
    Item.objects.filter(pk=item.pk).update(state=State.NEEDS_ANSWER, intent=uuid.uuid4())
    Attempt.objects.create(
        item=item, fence=1, worker="w", opened_reading=now(), outcome=Attempt.Outcome.UNCERTAIN
    )
    item.refresh_from_db()
    return item


def test_it_is_not_there_sends_the_same_command_again(api, asking):
    response = steps.act(api, asking, "answer", {"answer": "not_there", "reason": "I looked"})
    assert (response.status_code, response.json()["erp_status"]) == (200, "exporting")


def test_it_is_there_links_to_what_the_erp_holds(api, connection, asking, access, pat):
    there = in_the_erp(connection, access, pat)
    body = {"answer": "there", "origin_id": there, "reason": "I looked"}
    response = steps.act(api, asking, "answer", body)
    assert response.status_code == 202
    assert response.json()["lookup"] == {"origin_id": there, "status": "queued", "problem": None}
    run_jobs()
    item_body = steps.show(api, asking).json()
    assert (item_body["erp_status"], item_body["origin_code"]) == ("synced", there)
    assert item_body["lookup"] is None
    assert steps.act(api, asking, "answer", body).status_code == 409


def test_what_the_erp_does_not_have_is_told_of_the_lookup_until_the_item_is_exported_again(
    api, connection, asking
):
    body = {"answer": "there", "origin_id": "NOSUCH", "reason": "I looked"}
    assert steps.act(api, asking, "answer", body).status_code == 202
    run_jobs()
    lookup = steps.show(api, asking).json()["lookup"]
    assert (lookup["origin_id"], lookup["status"]) == ("NOSUCH", "failed")
    assert "The ERP has no single record 'NOSUCH'." in lookup["problem"]
    absent = {"answer": "not_there", "reason": "I looked"}
    assert steps.act(api, asking, "answer", absent).json()["lookup"] is None


def test_a_second_answer_waits_for_the_lookup_of_the_first(api, connection, asking):
    body = {"answer": "there", "origin_id": "CEDAR1", "reason": "I looked"}
    for _ in range(2):
        assert steps.act(api, asking, "answer", body).status_code == 202
    assert Job.objects.count() == 1
    other = steps.act(api, asking, "answer", {**body, "origin_id": "CEDAR2"})
    assert other.status_code == 422
    assert "CEDAR1 is being looked up for it." in other.text


@pytest.mark.parametrize("body", [{}, {"answer": "maybe"}, {"answer": "there", "reason": "x"}])
def test_half_an_answer_is_422(api, asking, body):
    assert steps.act(api, asking, "answer", body).status_code == 422


def test_a_synced_company_is_unlinked_with_a_reason(api, connection, item):
    accept(api, item, vendor_id="QUARRY01")
    early = steps.act(api, item, "unlink", {"reason": "Wrong vendor"})
    assert early.status_code == 409
    steps.export(connection)
    assert steps.show(api, item).json()["available_actions"] == ["unlink"]
    response = steps.act(api, item, "unlink", {"reason": "Wrong vendor"})
    assert response.status_code == 200
    assert Event.objects.get(verb="unlink").actor == api.made.application.service.user
    assert Company.objects.get(pk=item.record_id).origin_id == ""
    assert steps.act(api, item, "unlink", {"reason": "Wrong vendor"}).status_code == 409


def test_an_update_shows_what_changes_and_leaves_the_record_synced_when_it_comes_back(
    api, account, connection, item, access
):
    accept(api, item)
    steps.export(connection)
    company = Company.objects.get(pk=item.record_id)
    update = update_item(company, access, "Quarry & Daughters")
    body = steps.show(api, update).json()
    changes = {change["label"]: (change["old"], change["new"]) for change in body["changes"]}
    assert ("Quarry & Sons, LLC", "Quarry & Daughters") in changes.values()
    assert body["acceptance_fields"] == []
    api.post(steps.company_of(api, f"vendors/{company.pk}/actions/retrieve_from_erp"))
    assert steps.show(api, update).json()["erp_status"] == "synced"
    synced = steps.queue(api, "?filters[status]=synced").json()
    assert {row["id"] for row in synced} == {item.pk, update.pk}
    assert steps.queue(api, "?filters[status]=not_in_erp").json() == []


# --- who sees and decides -------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    ["accept", "reject", "retry", "withdraw", "answer", "unlink", "link_instead", "use_anyway"],
)
def test_whoever_only_reads_decides_nothing(watcher, item, action):
    assert steps.show(watcher, item).json()["available_actions"] == []
    assert steps.act(watcher, item, action, {"digest": item.digest}).status_code == 403
    if action != "withdraw":
        many = watcher.post(
            steps.company_of(watcher, "erp_queue/actions/accept"),
            {"updates": [{"id": item.pk, "digest": item.digest}]},
        )
        assert many.status_code == 403
    item.refresh_from_db()
    assert item.state == State.READY


@pytest.mark.parametrize("action", ["", "accept", "reject", "retry", "withdraw", "answer"])
def test_a_stranger_finds_no_item(stranger, item, action):
    if not action:
        assert steps.show(stranger, item).status_code == 404
        assert steps.queue(stranger).json() == []
    else:
        assert steps.act(stranger, item, action, {"reason": "x"}).status_code == 404
    rows = {"updates": [{"id": item.pk, "digest": item.digest}], "reason": "x"}
    body = stranger.post(steps.company_of(stranger, "erp_queue/actions/reject"), rows).json()
    assert body["errors"][0]["errors"] == {"id": ["Entity with this ID not found"]}


def test_a_project_sees_only_what_it_sent(api, project, item):
    path = f"projects/{project.pk}/erp_queue"
    assert api.get(path).json() == []
    assert api.get(f"{path}/{item.pk}").status_code == 404
    Item.objects.filter(pk=item.pk).update(project=project)
    assert [row["id"] for row in api.get(path).json()] == [item.pk]


# --- the list -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, states",
    [
        ("filters[status]=ready_to_export", {"ready"}),
        ("filters[erp_status]=exportging", {"queued", "sending"}),
        ("filters[status]=exporting,rejected", {"queued", "sending", "rejected"}),
        ("filters[status][]=failed_to_export&filters[status][]=invalid", {"failed"}),
        ("filters[status]=not_in_erp", {"retrieved"}),
        ("filters[state]=sending", {"sending"}),
        ("filters[entity]=vendor&filters[status]=rejected", {"rejected"}),
        ("filters[entity]=standard_cost_code", set()),
        ("filters[search]=nothing-like-it", set()),
    ],
)
def test_the_queue_is_filtered_by_procores_words(api, account, connection, ada, query, states):
    for number, state in enumerate(
        ["ready", "queued", "sending", "failed", "rejected", "retrieved"], start=1
    ):
        ItemFactory.create(
            account=account,
            connection=connection,
            sent_by=ada,
            record_id=number,
            state=state,
            intent=uuid.uuid4(),
            lease_until=now() if state == "sending" else None,
        )
    rows = steps.queue(api, f"?{query}").json()
    assert {row["state"] for row in rows} == states


@pytest.mark.parametrize("query", ["filters[status]=nope", "filters[state]=x", "sort=payload"])
def test_an_unknown_word_is_400_that_names_the_known_ones(api, query):
    response = steps.queue(api, f"?{query}")
    assert response.status_code == 400
    assert "one of" in response.json()["message"]


def test_the_queue_is_paged(api, account, connection, access):
    companies = [CompanyFactory.create(account=account, name=f"Firm {n}") for n in range(5)]
    send_all(companies, access)
    first = steps.queue(api, "?per_page=2&sort=-label")
    assert [row["label"] for row in first.json()] == ["Firm 4", "Firm 3"]
    assert (first["Total"], first["Per-Page"]) == ("5", "2")
    assert 'rel="next"' in first["Link"]


def test_a_longer_queue_takes_no_more_queries(api, account, connection, access):
    send_all([CompanyFactory.create(account=account)], access)
    steps.queue(api)
    with CaptureQueriesContext(database) as few:
        steps.queue(api)
    send_all([CompanyFactory.create(account=account) for _ in range(8)], access)
    with CaptureQueriesContext(database) as many:
        steps.queue(api)
    assert len(many) == len(few)


# --- many at once ---------------------------------------------------------------------------


def test_many_are_accepted_and_each_has_its_own_fate(api, account, connection, access):
    companies = [CompanyFactory.create(account=account, name=f"Firm {n}") for n in range(4)]
    items = send_all(companies, access)
    Item.objects.filter(pk=items[3].pk).update(digest="changed")
    rows = [
        {"id": items[0].pk, "digest": items[0].digest},
        {"id": items[1].pk, "digest": items[1].digest, "acceptance": {"vendor_type": "NOPE"}},
        {"id": items[2].pk},
        {"id": items[3].pk, "digest": items[3].digest},
        {"id": 99999999, "digest": "x"},
    ]
    body = {"updates": rows, "acceptance": {"vendor_type": steps.a_type(connection)}}
    response = api.post(steps.company_of(api, "erp_queue/actions/accept"), body)
    assert response.status_code == 200
    answer = response.json()
    assert [entity["id"] for entity in answer["entities"]] == [items[0].pk]
    assert answer["entities"][0]["erp_status"] == "exporting"
    refused = {row["id"]: set(row["errors"]) for row in answer["errors"]}
    assert refused == {
        items[1].pk: {"vendor_type"},
        items[2].pk: {"digest"},
        items[3].pk: {"digest"},
        99999999: {"id"},
    }
    steps.export(connection)
    states = dict(Item.objects.values_list("pk", "state"))
    assert [states[item.pk] for item in items] == ["synced", "ready", "ready", "ready"]


def test_many_are_rejected_each_for_its_reason(api, account, connection, access):
    companies = [CompanyFactory.create(account=account) for _ in range(3)]
    items = send_all(companies, access)
    accept_services.reject(
        Item.objects.filter(pk=items[2].pk), entity="vendor", reason="Before", access=access
    )
    rows = [{"id": items[0].pk}, {"id": items[1].pk, "reason": "No tax id"}, {"id": items[2].pk}]
    path = steps.company_of(api, "erp_queue/actions/reject")
    body = api.post(path, {"updates": rows, "reason": "Not now"}).json()
    notes = {entity["id"]: entity["decision_note"] for entity in body["entities"]}
    assert notes == {items[0].pk: "Not now", items[1].pk: "No tax id"}
    assert [set(error["errors"]) for error in body["errors"]] == [{"state"}]
    again = api.post(path, {"updates": [{"id": items[0].pk}]}).json()
    assert set(again["errors"][0]["errors"]) == {"reason"}
