"""Whatever is sent to a page of an account, the answer is never a server error.

Every URL is walked as Ada, who may do everything, so that no permission stops the input before
the code that reads it. New URLs are included automatically, see
:mod:`tests.every_page.test_every_url`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.every_page.test_every_url import OF_ACCOUNTS, address, ids, ours
from tests.factories import CompanyImportFactory

__all__ = ["ours"]

NASTY = (
    "\x00",
    "a\x00b",
    "\U0001f600" * 60,
    "x" * 100_000,
    "-1",
    "9" * 18,
    "9" * 40,
    "9" * 5_000,  # more digits than Python turns into a number
    "1e309",
    "\u0663\u00b2",  # digits for str.isdigit, but not for a database
    "'; DROP TABLE x; --",
    "<script>%s{{7*7}}",
    "../../etc/passwd",
    '[{"a": [1, null]}]',
    "\r\nX-Injected: 1",
    " ".join("abcdefghijklmnopqrstuvwxyz" * 4),
)
# Parameters that some page reads; other pages must ignore them.
ASKED = """
    q sort size after before status erp trade tab show page name adapter cursor next
    at open adding all source list_seen
"""
SENT = """
    action verb act all anyway ids query upto confirm seen digest reason reject-reason unlink-reason
    answer answer-erp_id answer-why adapter name company project place look_alikes vendor_id
    vendor_type column-0 latency list_seen at source code description for_new_projects
"""
BODIES = [
    ('{"name": ["x", {}]}', "application/json"),
    ("{", "application/json"),
    (b"name=\xff\xfe&ids=%ff&query=%zz&=&&&", "application/x-www-form-urlencoded"),
    (b"name=x", "application/x-www-form-urlencoded; charset=no-such-charset"),
    (b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n",
     "multipart/form-data; boundary=b"),
    (b"no parts at all", "multipart/form-data; boundary=b"),
    (b"no boundary", "multipart/form-data"),
    (b"<a/>", "text/xml"),
]  # fmt: skip
FILES = [
    (b"", "empty.csv"),
    (b"Company\n\x00", "nul.csv"),
    (b'Company\n"' + b"x" * 200_000, "unclosed.csv"),
    (b"Company," * 5_000 + b"\n", "wide.csv"),
    (b"\xff\xfe\x00", "half.csv"),
    (b"Company\n" + b"\xf0\x9f\x98\x80" * 400, "../../\r\nname\x00.csv"),
    (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "logo.svg"),
    (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "logo.png"),
    (b"GIF89a/*<script>*/", "logo.jpg"),
]


@pytest.fixture
def pages(ours, ada, account) -> dict[str, object]:
    """The objects in the addresses, Ada's own where a page shows only these."""
    mine = CompanyImportFactory.create(account=account, by=ada).pk
    return ours | {"import_id": mine}


@pytest.fixture
def as_ada(client_of, ada) -> Client:
    client = client_of(ada)
    client.raise_request_exception = False
    return client


def fields_of(html: str) -> dict[str, str]:
    """Name and current value of every field of a page's forms."""
    fields: dict[str, str] = {}
    for tag in re.findall(r"<(?:input|select|textarea|button)\b[^>]*>", html):
        name, value = (
            re.search(rf'\s{attribute}="([^"]*)"', tag) for attribute in ("name", "value")
        )
        if name and name[1] != "csrfmiddlewaretoken":
            fields.setdefault(unescape(name[1]), unescape(value[1]) if value else "")
    return fields


def spoiled(fields: dict[str, str]) -> Iterator[dict[str, str]]:
    """The form with a bad value in all fields, then in one field at a time."""
    for value in NASTY:
        yield dict.fromkeys([*fields, *SENT.split()], value)
    for place, name in enumerate(fields):
        yield fields | {name: NASTY[place % len(NASTY)]}


def takes(client: Client, method: str, path: str) -> bool:
    """Whether the page allows the method; also a first check that it does not fail."""
    answer = client.generic(method, path)
    assert answer.status_code < 500
    return answer.status_code != 405


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_no_query_string_breaks_a_page(url, pages, as_ada):
    path = address(*url, pages)
    if not takes(as_ada, "GET", path):
        return
    for value in NASTY:
        assert as_ada.get(path, dict.fromkeys(ASKED.split(), value)).status_code < 500, value[:40]
    for raw in ("%ff%fe=%ff", "q=%ed%a0%80", "&&==&[]=1&q[]=2", "after=" + "a" * 5_000):
        assert as_ada.get(path, QUERY_STRING=raw).status_code < 500, raw[:40]


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_no_form_breaks_a_page(url, pages, as_ada):
    path = address(*url, pages)
    response = as_ada.get(path)
    assert response.status_code < 500
    if not takes(as_ada, "POST", path):
        return
    fields = fields_of(response.content.decode()) if response.status_code == 200 else {}
    for sent in spoiled(fields):
        assert as_ada.post(path, sent).status_code < 500, {k: v[:40] for k, v in sent.items()}
    for content, name in FILES:
        sent = {field: SimpleUploadedFile(name, content) for field in ("file", "logo", "name")}
        assert as_ada.post(path, fields | sent).status_code < 500, name


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_no_body_or_method_breaks_a_page(url, pages, as_ada):
    path = address(*url, pages)
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert as_ada.generic(method, path, b"{}").status_code < 500, method
    if not takes(as_ada, "POST", path):
        return
    for body, content_type in BODIES:
        answer = as_ada.generic("POST", path, body, content_type=content_type)
        assert answer.status_code < 500, (body, content_type)
