"""A form that is shown again because of a wrong value still says which version its page had seen.

With the current version in its place, the next click would overwrite what somebody else has saved
meanwhile, without a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.test import Client

from tests.db.transactions import taken_back
from tests.every_page.scenes import account, ada, scene
from tests.every_page.test_written_pages import forms
from tests.forms import Form, Values, shown_in

__all__ = ["account", "ada", "scene"]

# Fields that say which version of a record a page shows.
VERSIONS = ("seen", "digest")
OTHER = "999"
PART = {"HX-Request": "true"}


def test_a_form_with_a_wrong_value_keeps_the_version_that_was_seen(scene, client_of, ada):
    client, kept, replaced = client_of(ada), set(), set()
    for form, sent in forms(scene, client):
        for name in [one for one in sent if one.partition("-")[0] in VERSIONS]:
            for version in shown_again(client, form, sent, name):
                (kept if version == [OTHER] else replaced).add(form.name)
    assert not replaced
    assert kept == {
        "access:person",
        "access:person_projects",
        "admin_wbs:code_edit",
        "admin_wbs:segment_item",
        "admin_wbs:sub_job",
        "directory:account_company_edit",
        "directory:project_company_edit",
        "erp:accept_many",
        "erp:project_accept_many",
    }


def shown_again(client: Client, form: Form, sent: Values, name: str) -> Iterator[list[str]]:
    """The version in the form that comes back, with a value wrong; whole and as part of a page."""
    field = next((one for one in sent if can_be_wrong(form, one)), None)
    for headers in ({}, PART) if field else ():
        wrong: dict[str, Any] = {**sent, name: OTHER, field: ["x" * 20_000]}
        with taken_back():
            answer = client.post(form.action, wrong, headers=headers)
        for again in shown_in(answer):
            if again.name == form.name and name in again.values:
                yield again.values[name]


def can_be_wrong(form: Form, field: str) -> bool:
    """True if it is typed, or picked from several; a single box is ticked whatever it holds."""
    return form.kinds.get(field, "hidden") != "hidden" or len(form.offered.get(field, [])) > 1
