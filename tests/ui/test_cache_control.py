"""Nothing that is answered to somebody is kept by a cache; static files are."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.every_page.test_every_url import OF_ACCOUNTS, address, ids, ours  # noqa: F401 - a fixture


def kept(answer) -> str:
    return str(answer["Cache-Control"])


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_no_page_file_or_refusal_of_an_account_is_stored(url, ours, client_of, ada):  # noqa: F811
    path = address(*url, ours)
    for answer in (client_of(ada).get(path), client_of(ada).post(path), Client().get(path)):
        cache_control = kept(answer)
        assert "private" in cache_control
        # Answers of the API have a tag, by which they are asked for again.
        assert "no-store" in cache_control or (
            cache_control == "private, no-cache" and "ETag" in answer
        )


@pytest.mark.parametrize("name", ["home", "login", "own_settings", "oauth:own_programs", "livez"])
def test_no_page_of_a_person_is_stored(name, client_of, sam):
    assert "no-store" in kept(client_of(sam).get(reverse(name)))


@pytest.mark.parametrize(
    "path", ["/rest/v1.0/nothing", "/nothing", "/oauth/token/info", "/accounts/99/"]
)
def test_no_refusal_is_stored(path, client_of, sam):
    assert "no-store" in kept(client_of(sam).get(path))


def test_static_files_are_stored(client):
    answer = client.get("/static/erpbridge/logo.svg")
    assert answer.status_code == 200
    assert "public" in kept(answer)
    assert b"".join(answer.streaming_content)
