"""Getting, renewing and ending tokens, for programs of every kind."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.utils import timezone

from erpbridge.access import policy
from erpbridge.audit.models import Event
from erpbridge.oauth import applications, tokens
from erpbridge.oauth.models import Application, Code, Token

HOME = "https://program.example.com/back?kept=1"
FIELDS = {"access_token", "token_type", "expires_in", "created_at", "refresh_token"}


@pytest.fixture
def app(account, ada) -> applications.CreatedApplication:
    """An application that people allow to act for them."""
    uris = [HOME, applications.OUT_OF_BAND, "http://127.0.0.1:8123/cb"]
    return applications.create("Estimator", redirect_uris=uris, by=policy.load(ada, account))


def ids(made: applications.CreatedApplication) -> dict[str, str]:
    return {"client_id": made.application.uid, "client_secret": made.secret}


def post(data, *, path="/oauth/token", **options):
    return Client().post(path, data, **options)


def allow(client: Client, made: applications.CreatedApplication, **query: str):
    asked = {
        "response_type": "code",
        "client_id": made.application.uid,
        "redirect_uri": HOME,
        "state": "st,ate 1",
    } | query
    return client.post("/oauth/authorize", {"answer": "allow"}, query_params=asked)


def code_of(response) -> str:
    return parse_qs(urlsplit(response["Location"]).query)["code"][0]


@pytest.fixture
def code(app, sam, client_of) -> str:
    return code_of(allow(client_of(sam), app))


@pytest.mark.parametrize("kind", ["form", "multipart", "json", "basic", "slash"])
def test_a_service_account_gets_a_token_in_every_encoding(api, kind):
    given = {"grant_type": "client_credentials", **ids(api.made)}
    if kind == "form":
        body = "&".join(f"{name}={value}" for name, value in given.items())
        response = post(body, content_type="application/x-www-form-urlencoded")
    elif kind == "json":
        response = post(given, content_type="application/json")
    elif kind == "basic":
        pair = f"{given.pop('client_id')}:{given.pop('client_secret')}".encode()
        sent = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        response = post(given, headers=sent)
    else:
        response = post(given, path="/oauth/token/" if kind == "slash" else "/oauth/token")
    assert response.status_code == 200
    token_body = response.json()
    assert set(token_body) == FIELDS - {"refresh_token"}
    assert token_body["token_type"] == "Bearer"
    assert token_body["expires_in"] == 5400
    assert isinstance(token_body["created_at"], int)
    assert response["Cache-Control"] == "no-store"


def test_a_token_of_a_service_account_opens_the_api(api):
    body = post({"grant_type": "client_credentials", **ids(api.made)}).json()
    sent = {"Authorization": f"Bearer {body['access_token']}"}
    me = Client().get("/rest/v1.0/me", headers=sent).json()
    assert me["id"] == api.made.application.service.user_id


def test_a_code_comes_back_to_the_program_with_its_state_and_works_once(app, sam, client_of):
    response = allow(client_of(sam), app)
    assert response.status_code == 302
    back = urlsplit(response["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == "https://program.example.com/back"
    assert parse_qs(back.query)["state"] == ["st,ate 1"]
    assert parse_qs(back.query)["kept"] == ["1"]
    given = {
        "grant_type": "authorization_code",
        "code": code_of(response),
        "redirect_uri": HOME,
        **ids(app),
    }
    first = post(given)
    assert set(first.json()) == FIELDS
    again = post(given)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    sent = {"Authorization": f"Bearer {first.json()['access_token']}"}
    # Two parties had the code, so the tokens that were issued for it end too.
    assert Client().get("/rest/v1.0/me", headers=sent).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [{"code": "x" * 43}, {"redirect_uri": "https://program.example.com/other"}, {"code": "\x00"}],
)
def test_a_wrong_code_or_redirect_uri_is_refused(app, code, wrong):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME} | wrong
    response = post({**given, **ids(app)})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


def test_a_code_lasts_ten_minutes(app, code):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    with time_machine.travel(Code.objects.get().expires_at):
        response = post({**given, **ids(app)})
    assert "expired" in response.json()["error_description"]


def test_a_code_of_another_application_is_refused(app, code, account, ada):
    other = applications.create("Other", redirect_uris=[HOME], by=policy.load(ada, account))
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    assert post({**given, **ids(other)}).status_code == 400


@pytest.mark.parametrize("verifier, status", [("v" * 43, 200), ("w" * 43, 400), ("", 400)])
def test_a_code_asked_for_with_a_challenge_needs_its_verifier(
    app, sam, client_of, verifier, status
):
    hashed = hashlib.sha256(b"v" * 43).digest()
    challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    response = allow(client_of(sam), app, code_challenge=challenge, code_challenge_method="S256")
    given = {
        "grant_type": "authorization_code",
        "code": code_of(response),
        "redirect_uri": HOME,
        "code_verifier": verifier,
        **ids(app),
    }
    assert post(given).status_code == status


def test_a_plain_challenge_is_refused_to_the_program(app, sam, client_of):
    response = allow(client_of(sam), app, code_challenge="v" * 43)
    assert parse_qs(urlsplit(response["Location"]).query)["error"] == ["invalid_request"]


def test_out_of_band_shows_the_code_on_a_page(app, sam, client_of):
    response = allow(client_of(sam), app, redirect_uri=applications.OUT_OF_BAND)
    assert response.status_code == 200
    code = response.context["code"]
    assert tokens.digest(code) == Code.objects.get().digest
    assert code in response.content.decode()


def test_the_page_asks_before_anything_is_given(app, sam, client_of):
    asked = {"response_type": "code", "client_id": app.application.uid, "redirect_uri": HOME}
    response = client_of(sam).get("/oauth/authorize", asked)
    assert "Estimator" in response.content.decode()
    assert "form-action 'self' https://program.example.com" in response["Content-Security-Policy"]
    assert not Code.objects.exists()


def test_refusing_tells_the_program(app, sam, client_of):
    asked = {"response_type": "code", "client_id": app.application.uid, "redirect_uri": HOME}
    response = client_of(sam).post(
        "/oauth/authorize", {"answer": "refuse"}, query_params={**asked, "state": "s"}
    )
    query = parse_qs(urlsplit(response["Location"]).query)
    assert (query["error"], query["state"]) == (["access_denied"], ["s"])


@pytest.mark.parametrize(
    "wrong", [{"redirect_uri": f"{HOME}&more=1"}, {"redirect_uri": ""}, {"client_id": "nobody"}]
)
def test_nobody_is_led_to_an_address_that_is_not_registered(app, sam, client_of, wrong):
    response = allow(client_of(sam), app, **wrong)
    assert response.status_code == 400
    assert "Location" not in response
    assert not Code.objects.exists()


def test_people_of_other_accounts_do_not_learn_of_an_application(app, olga, client_of):
    assert allow(client_of(olga), app).status_code == 400


def test_whoever_is_not_logged_in_comes_back_after_the_login(app):
    asked = {"response_type": "code", "client_id": app.application.uid}
    response = Client().get("/oauth/authorize", asked)
    assert response.status_code == 302
    assert "/login/?next=/oauth/authorize%3Fresponse_type" in response["Location"]


def test_refreshing_rotates_and_needs_no_redirect_uri(app, code):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    first = post({**given, **ids(app)}).json()
    renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **ids(app)}
    second = post(renewal, content_type="application/json")
    assert set(second.json()) == FIELDS
    assert tokens.read(first["access_token"]) is None
    assert tokens.read(second.json()["access_token"]) is not None
    again = post(renewal)
    assert again.status_code == 400
    assert again.json()["error_description"] == "The refresh token is invalid."


def test_a_refresh_token_that_comes_again_at_once_is_refused_and_ends_nothing(app, code):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    first = post({**given, **ids(app)}).json()
    renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **ids(app)}
    second = post(renewal).json()
    again = post(renewal)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert tokens.read(second["access_token"]) is not None
    assert post({**renewal, "refresh_token": second["refresh_token"]}).status_code == 200


def test_a_refresh_token_that_comes_again_later_ends_all_tokens_of_its_grant(app, code, api):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    first = post({**given, **ids(app)}).json()
    renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **ids(app)}
    second = post(renewal).json()
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert post(renewal).status_code == 400
    assert tokens.read(second["access_token"]) is None
    stolen = post({**renewal, "refresh_token": second["refresh_token"]})
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    # Other grants stay valid.
    assert tokens.read(api.token) is not None


def test_another_application_cannot_end_a_family_with_its_token(app, code, account, ada):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    first = post({**given, **ids(app)}).json()
    other = applications.create("Other", redirect_uris=[HOME], by=policy.load(ada, account))
    renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert post({**renewal, **ids(other)}).status_code == 400
    assert tokens.read(first["access_token"]) is not None


@pytest.mark.django_db(transaction=True)
def test_of_two_renewals_at_one_moment_one_wins_and_its_tokens_stay(app, code):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    first = post({**given, **ids(app)}).json()
    renewal = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], **ids(app)}
    gate = Barrier(2)

    def renew(_number: int) -> int:
        try:
            gate.wait(10)
            return post(renewal).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(renew, range(2))) == [200, 400]
    assert Token.objects.filter(ended_at=None).count() == 2


def test_an_access_token_lasts_ninety_minutes(api):
    row = Token.objects.get(digest=tokens.digest(api.token))
    with time_machine.travel(row.expires_at):
        assert api.get("me").status_code == 401


def test_info_names_owner_application_and_time_left(api):
    body = api.get("/oauth/token/info").json()
    assert set(body) == {
        "resource_owner_id",
        "scopes",
        "expires_in_seconds",
        "application",
        "created_at",
    }
    assert body["application"] == {"uid": api.made.application.uid}
    assert 5300 < body["expires_in_seconds"] <= 5400
    assert body["scopes"] == []


@pytest.mark.parametrize("kind", ["form", "json"])
def test_revoking_kills_both_tokens_and_answers_an_empty_object(app, code, kind):
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": HOME}
    granted = post({**given, **ids(app)}).json()
    options = {"content_type": "application/json"} if kind == "json" else {}
    body = {"token": granted["refresh_token"], **ids(app)}
    response = post(body, path="/oauth/revoke", **options)
    assert (response.status_code, response.json()) == (200, {})
    assert tokens.read(granted["access_token"]) is None
    assert post({"token": "unknown", **ids(app)}, path="/oauth/revoke").json() == {}


def test_an_application_cannot_revoke_the_tokens_of_another(api, app):
    post({"token": api.token, **ids(app)}, path="/oauth/revoke")
    assert api.get("me").status_code == 200


def test_a_wrong_secret_is_401_and_too_many_429_but_the_right_one_still_works(api):
    wrong = {"grant_type": "client_credentials", **ids(api.made), "client_secret": "guess"}
    statuses = [post(wrong).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = post(wrong)
    assert refused.json()["error"] == "invalid_client"
    assert int(refused["Retry-After"]) > 0
    assert post({**wrong, **ids(api.made)}).status_code == 200


@pytest.mark.parametrize("client_id", ["line\nbreak", "a b", "\x00", "€" * 300])
def test_a_client_id_that_can_be_none_is_an_unknown_client(db, client_id):
    wrong = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": "guess"}
    assert post(wrong).status_code == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b"null"])
def test_a_body_that_is_no_object_is_told_so(db, body):
    response = post(body, content_type="application/json")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_an_unknown_grant_and_a_missing_one_are_named(api, app):
    unknown = post({**ids(api.made), "grant_type": "password"}).json()["error"]
    assert unknown == "unsupported_grant_type"
    assert post(ids(api.made)).json()["error"] == "invalid_request"
    own = post({**ids(app), "grant_type": "client_credentials"})
    assert own.json()["error"] == "unauthorized_client"


def test_get_on_the_token_endpoint_is_405_in_json(db):
    response = Client().get("/oauth/token")
    assert response.status_code == 405
    assert response.json()["code"] == 405


def test_nothing_secret_is_stored(api, app, code):
    everything = [*Application.objects.values_list(), *Token.objects.values_list()]
    everything += [*Code.objects.values_list(), *Event.objects.values_list()]
    for secret in (api.made.secret, app.secret, api.token, code):
        assert secret not in str(everything)


@pytest.mark.parametrize(
    "uri",
    [
        "http://program.example.com/back",
        "https://program.example.com/#x",
        "ftp://localhost/",
        "javascript:alert(1)",
        "https:///nowhere",
        "https://a b/",
        "",
    ],
)
def test_redirect_uris_are_https_loopback_or_out_of_band(db, uri):
    with pytest.raises(ValidationError):
        applications.checked_redirect_uri(uri)


def test_a_service_account_is_no_person_on_the_pages(api, account, ada, client_of):
    page = client_of(ada).get(f"/accounts/{account.pk}/people/")
    member = api.made.application.service
    assert "Nightly sync" not in page.content.decode()
    assert client_of(ada).get(f"/accounts/{account.pk}/people/{member.pk}/").status_code == 404
    assert not member.user.has_usable_password()


def test_a_deleted_application_is_shut_out_at_once(api, account, ada):
    applications.delete(api.made.application.pk, by=policy.load(ada, account))
    assert api.get("me").status_code == 401
    assert post({"grant_type": "client_credentials", **ids(api.made)}).status_code == 401
    events = Event.objects.about(account.pk, "application", api.made.application.pk)
    assert [event.verb for event in events] == ["deleted", "created"]
