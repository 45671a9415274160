"""A view, or a function in one transaction, that PostgreSQL aborts in a conflict."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from zeal import zeal_ignore

from directory.models import Trade
from erpbridge.access.models import Account
from erpbridge.db import busy
from tests.factories import AccountFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.shared,
    pytest.mark.urls(__name__),
]
LEFT: list[str] = []
SEEN: list[Any] = []


def strike(code: str) -> None:
    """The database itself aborts the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$")


def strike_if_left() -> None:
    if LEFT:
        strike(LEFT.pop())


def everything(request: HttpRequest) -> HttpResponse:
    """Use all parts of a request: form, file, session, person, messages."""
    SEEN.append((request.POST["name"], request.FILES["file"].read(), request.session.get("n", 0)))
    request.session["n"] = request.session.get("n", 0) + 1
    messages.success(request, "Done.")
    request.user.name = f"{request.user.name}!"
    with transaction.atomic():
        request.user.save()
        AccountFactory.create(name=request.POST["name"])
        strike_if_left()
    return HttpResponse(",".join(str(message) for message in get_messages(request)))


def in_two(request: HttpRequest) -> HttpResponse:
    """Store something before the conflict."""
    AccountFactory.create(name="First")
    with transaction.atomic():
        AccountFactory.create(name="Second")
        strike_if_left()
    return HttpResponse()


handler500 = "erpbridge.ui.error_pages.server_error"
urlpatterns = [
    path("everything/", everything),
    path("two/", in_two),
    path("", include("erpbridge.urls")),
]


@pytest.fixture
def client(client_of, ada, monkeypatch):
    monkeypatch.setattr(busy, "FIRST_REST", 0.0)
    LEFT.clear()
    SEEN.clear()
    ada_client = client_of(ada)
    ada_client.raise_request_exception = False
    with zeal_ignore():  # the person is read once for each try
        yield ada_client


def accounts() -> list[str]:
    return sorted(
        Account.objects.exclude(name="Harbor Construction").values_list("name", flat=True)
    )


def send(client, where: str):
    file = SimpleUploadedFile("probe.csv", b"a,b\n")
    return client.post(where, {"name": "Made", "file": file})


@pytest.mark.parametrize("codes", [["40P01"], ["40001", "55P03", "40P01", "40001"]])
def test_a_view_runs_again_from_the_request_as_it_came(client, ada, codes):
    LEFT.extend(codes)
    answer = send(client, "/everything/")
    assert (answer.status_code, answer.text) == (200, "Done.")
    assert [("Made", b"a,b\n", 0)] * (len(codes) + 1) == SEEN
    assert accounts() == ["Made"]
    assert client.session["n"] == 1
    ada.refresh_from_db()
    assert ada.name == "Ada Admin!"
    assert busy.counted() == {"retried": len(codes), "given_up": 0}


def test_after_the_last_try_everything_is_as_before(client):
    LEFT.extend(["40P01"] * 9)
    answer = send(client, "/everything/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert len(SEEN) == busy.TRIES
    assert "Made" not in accounts()
    assert "n" not in client.session
    assert busy.counted()["given_up"] == 1


def test_what_is_stored_already_is_not_stored_twice(client):
    LEFT.append("40P01")
    answer = client.post("/two/", {"name": "O'Malley"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "A part was saved" in answer.text
    assert accounts() == ["First"]


@pytest.mark.parametrize("code", ["23505", "57014"])
def test_another_error_is_not_tried_again(client, code):
    LEFT.append(code)
    assert send(client, "/everything/").status_code == 500
    assert len(SEEN) == 1


@busy.retried
def store(name: str) -> str:
    with transaction.atomic():
        Trade.objects.create(account=AccountFactory.create(name=name), name=name)
        strike_if_left()
    return name


def test_a_function_is_done_again_and_only_as_a_whole_transaction(client):
    LEFT.extend(["40P01", "40P01"])
    assert store("Again") == "Again"
    assert accounts() == ["Again"]
    LEFT.append("40P01")
    with pytest.raises(OperationalError), transaction.atomic():
        store("Inside")
    assert accounts() == ["Again"]
