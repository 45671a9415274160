"""What each address and each of its views shows of known rows, in ``shown.txt``.

After an intended change run with ``ERPBRIDGE_SHOWN=anew``, and review the diff.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import Any
from urllib.parse import urljoin

import orjson
import pytest
from django.urls import resolve

from erpbridge.oauth.applications import Service
from erpbridge.people.api import user_serializer
from erpbridge.rest.schema.openapi import describe
from tests.access.test_isolation import address, routes
from tests.every_call import known
from tests.rest.fixtures import EVERYTHING, Api, service_of

KEPT = Path(__file__).with_name("shown.txt")
# About the caller, whose id is not known beforehand; see the end of this file.
OF_THE_CALLER = {"Me", "CompanyMe"}
STEP = "  "


@pytest.fixture
def rows(db: None) -> known.Known:
    return known.Known()


@pytest.fixture
def api(rows) -> Api:
    service = Service(levels=EVERYTHING, can_push_to_accounting=True)
    return service_of(rows.account, rows.ada, "Nightly sync", service)


def addresses() -> list[str]:
    return [line for line in KEPT.read_text().splitlines() if not line.startswith(STEP)]


def lines(api: Api, path: str) -> Iterator[str]:
    """An answer as the file shows it: each record begins a line, null fields come last."""
    yield path
    value = api.get(path).json()
    for record in value if isinstance(value, list) else [value]:
        values = record if isinstance(record, dict) else {"": record}
        text = ", ".join(
            f"{name}: {written(field_value)}"
            for name, field_value in values.items()
            if field_value is not None
        )
        empty = " ".join(name for name, field_value in values.items() if field_value is None)
        text += f"; null: {empty}" * bool(empty)
        yield from wrap(text, 98, initial_indent=STEP, subsequent_indent=3 * STEP, **WHOLE)


WHOLE = {"break_long_words": False, "break_on_hyphens": False}


def written(value: Any) -> str:
    # Sorted by name, since PostgreSQL does not keep the order of stored JSON.
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text.replace('","', '", "').replace(',"', ', "')


def test_each_address_shows_what_the_file_says(api):
    read_lines = [line for path in addresses() for line in lines(api, path)]
    if os.environ.get("ERPBRIDGE_SHOWN") == "anew":
        KEPT.write_text("\n".join(read_lines) + "\n")
    assert read_lines == KEPT.read_text().splitlines()


def test_the_file_has_every_view_that_can_be_read(ours):
    described = {
        view_of(address(route, ours))
        for route in routes()
        if "get" in describe()["paths"].get(template(route), ())
    }
    asked = {view_of(urljoin("/rest/v1.0/", path)) for path in addresses()}
    assert described - asked == OF_THE_CALLER


def template(route: str) -> str:
    path = "/" + route.replace("<int:pk>", "{id}")
    return path.replace("<int:", "{").replace("<uuid:", "{").replace(">", "}")


def view_of(path: str) -> str:
    view: Any = resolve(path.partition("?")[0]).func
    return str(view.view_class.__name__)


def test_who_calls_is_shown_to_themselves(api, rows):
    login = api.made.application.service.user
    member = rows.account.memberships.get(user=login)
    named = {"id": login.pk, "login": login.email, "name": login.name}
    assert api.get("me").json() == {name: named[name] for name in ("id", "login")}
    assert api.get(f"me?company_id={rows.account.pk}").json() == named
    assert api.get(f"me?project_id={rows.project.pk}").json() == named
    assert api.get(f"companies/{rows.account.pk}/me").json() == {
        **dict.fromkeys(user_serializer.ABSENT),
        **named,
        "first_name": login.name.rpartition(" ")[0],
        "last_name": login.name.rpartition(" ")[2],
        "email_address": login.email,
        "job_title": None,
        "is_active": True,
        "is_employee": False,
        "erp_integrated_accountant": True,
        "origin_id": None,
        "origin_data": None,
        "created_at": written_moment(login.created_at),
        "updated_at": written_moment(member.updated_at),
        "company_id": rows.account.pk,
        "permission_levels": dict.fromkeys(("directory", "admin", "erp_integrations"), "Admin"),
    }


def written_moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def test_a_name_of_the_caller_is_not_shown_for_a_project_of_somebody_else(api, other_project):
    api.company = None
    assert api.get(f"me?project_id={other_project.pk}").status_code == 404
    assert api.get(f"me?company_id={other_project.account_id}").status_code == 404
