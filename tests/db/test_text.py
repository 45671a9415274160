"""A name or code is one line without invisible characters, whichever way it was entered."""

from __future__ import annotations

import csv
import importlib
import io
import pkgutil

import pytest
from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.validators import MaxLengthValidator
from django.db import models
from django.urls import reverse

from admin_wbs.importing import apply, uploads
from admin_wbs.models import CodeList, CostCode, CostType, Segment, SegmentItem, SubJob
from admin_wbs.segments import default_structure
from admin_wbs.segments import services as segment_services
from directory.importing import plan as company_plan
from directory.importing.columns import proposed
from directory.models import Company
from erpbridge.access.models import Account, Membership, Project, User
from erpbridge.access.policy import load
from erpbridge.db.text import one_line
from erpbridge.files.delimited import read
from erpbridge.oauth.models import Application
from erpbridge.rest.requests import bodies
from erpbridge.ui.forms import PlainTexts
from tests.factories import CodeListFactory

# Typed text -> stored text.
LINES = {
    "Orbit\nTile": "Orbit Tile",
    "Orbit\r\n Tile": "Orbit Tile",
    "Orbit\tTile": "Orbit Tile",
    "Orbit\x07Tile": "Orbit Tile",
    "Orbit\x85Tile": "Orbit Tile",
    "Orbit\u2028Tile": "Orbit Tile",
    "Orbit\u2029Tile": "Orbit Tile",
    "Orbit\u00a0\u00a0Tile": "Orbit Tile",
    "Or\u00adbit Tile": "Orbit Tile",
    "Orbit \u200bTile": "Orbit Tile",
    "\ufeffOrbit Tile": "Orbit Tile",
    "Orbit\u200e Tile\u200f": "Orbit Tile",
    "Orbit Ti\u2060le": "Orbit Tile",
    "Or\u200dbit Ti\u200cle": "Orbit Tile",
    "\u061cOrbit Tile": "Orbit Tile",
    "  Orbit Tile ": "Orbit Tile",
    "Orbit Tile\u3164": "Orbit Tile",
    "E\u0301lectricite\u0301": "Électricité",
}
TURNED = ["Orbit\u202eeliT", "Orbit\u2066Tile", "\u202aOrbit Tile"]
DIRTY = "Or\u00adbit\nTi\u200ble"
CLEAN = "Orbit Tile"
PACKAGES = ["erpbridge", "directory", "admin_wbs", "erp_integrations"]
# A login is compared by its own rule, and its input is not stored; fingerprints.
NO_NAMES = {"LoginForm", "ConfirmForm", "RejectForm"}


def test_one_line_is_stored_of_what_is_typed():
    assert {typed: one_line(typed) for typed in LINES} == LINES


# --- forms ----------------------------------------------------------------------------------


def all_forms() -> list[type[forms.BaseForm]]:
    for package in PACKAGES:
        root_package = importlib.import_module(package)
        for module in pkgutil.walk_packages(root_package.__path__, f"{package}."):
            if module.name.endswith("forms") or module.name.endswith("views"):
                importlib.import_module(module.name)
    classes, left = [], [forms.BaseForm]
    while left:
        form_class = left.pop()
        left += form_class.__subclasses__()
        classes.append(form_class)
    return [form_class for form_class in classes if form_class.__module__.split(".")[0] in PACKAGES]


def is_line(field: forms.Field) -> bool:
    hidden = isinstance(field.widget, forms.PasswordInput | forms.Textarea)
    return isinstance(field, forms.CharField) and not hidden


def test_every_form_with_a_line_takes_it_as_one_line():
    with_lines = {
        form.__name__: issubclass(form, PlainTexts)
        for form in all_forms()
        if any(is_line(field) for field in getattr(form, "base_fields", {}).values())
    }
    assert len(with_lines) > 12
    assert [name for name, plain in with_lines.items() if not plain and name not in NO_NAMES] == []


class Names(PlainTexts, forms.Form):
    name = forms.CharField(max_length=12)
    note = forms.CharField(widget=forms.Textarea, required=False)
    secret = forms.CharField(widget=forms.PasswordInput, strip=False, required=False)


def test_a_form_cleans_lines_before_it_counts_them_and_leaves_other_texts_alone():
    for typed, wanted in LINES.items():
        form = Names({"name": typed, "note": "a\nb", "secret": " a\u00adb "})
        assert form.is_valid(), (typed, form.errors)
        assert form.cleaned_data == {"name": wanted, "note": "a\nb", "secret": " a\u00adb "}
    assert [typed for typed in TURNED if "name" not in Names({"name": typed}).errors] == []
    assert "required" in str(Names({"name": "\u200b\u00ad"}).errors)


@pytest.fixture
def code_list(account) -> CodeList:
    return CodeListFactory.create(account=account)


def test_every_page_that_names_something_stores_one_line(
    account, project, ada, client_of, code_list
):
    segment = segment_services.add(account, name="Phase", tiered=True, by=ada)
    default_structure.ensure(account.pk)
    Segment.objects.filter(kind=Segment.Kind.SUB_JOB).update(position=9)
    browser, mine = client_of(ada), [account.pk]
    both = {"code": DIRTY, "description": DIRTY}
    new = {f"new-{name}": typed for name, typed in both.items()}
    levels = {"directory": 0, "admin": 0, "erp_integrations": 0}
    posts = [
        ("directory:account_company_create", mine, {"name": DIRTY, "city": DIRTY}),
        ("admin_wbs:list_add", mine, {"name": DIRTY}),
        ("admin_wbs:code_add", [*mine, code_list.pk], both),
        ("admin_wbs:segment_add", mine, {"name": DIRTY, "tiered": "0"}),
        ("admin_wbs:segment_items", [*mine, segment.pk], new),
        ("admin_wbs:cost_types", mine, {"code": DIRTY, "label": DIRTY, "base_type": "other"}),
        ("admin_wbs:sub_jobs", [*mine, project.pk], {"code": DIRTY, "name": DIRTY}),
        ("access:project_add", mine, {"name": DIRTY, "number": DIRTY}),
        (
            "access:person_add",
            mine,
            {"name": DIRTY, "job_title": DIRTY, "email": "or\u00adbit@example.com", **levels},
        ),
        ("oauth:application_add", mine, {"name": DIRTY, "redirect_uris": "https://example.com/"}),
    ]
    answers = [(name, browser.post(reverse(name, args=to), typed)) for name, to, typed in posts]
    assert [
        (name, answer.status_code, getattr((answer.context or {}).get("form"), "errors", ""))
        for name, answer in answers
        if answer.status_code >= 400 or "form" in (answer.context or {})
    ] == []
    kept = {
        Company: ("name", "city"),
        CodeList: ("name",),
        CostCode: ("code", "description", "full_code"),
        Segment: ("name",),
        SegmentItem: ("code", "description"),
        CostType: ("code", "label"),
        SubJob: ("code", "name"),
        Project: ("name", "number"),
        User: ("name",),
        Membership: ("job_title",),
        Application: ("name",),
    }
    missing = [
        (model.__name__, column)
        for model, columns in kept.items()
        for column in columns
        if not model.objects.filter(**{column: CLEAN}).exists()
    ]
    assert missing == []
    assert User.objects.filter(email="orbit@example.com").exists()


# --- the API --------------------------------------------------------------------------------


def line_columns() -> list[tuple[type[models.Model], str]]:
    return [
        (model, field.name)
        for model in apps.get_models()
        if model.__module__.split(".")[0] in PACKAGES
        for field in model._meta.concrete_fields
        if type(field) is models.CharField and field.editable and not field.choices
        # Columns with rules of their own, such as a time zone, accept no text of the table.
        if all(isinstance(validator, MaxLengthValidator) for validator in field.validators)
        # Shorter columns are for codes; no text of the table fits into them.
        if (field.max_length or 0) > len(CLEAN) + 2
    ]


def test_every_column_of_one_line_is_read_so_from_a_body():
    columns = [
        pair for pair in line_columns() if (pair[0]._meta.get_field(pair[1]).max_length or 0) > 12
    ]
    assert len(columns) > 30
    wrong = [
        (model.__name__, name, typed)
        for model, name in columns
        for typed, wanted in LINES.items()
        if bodies.text(model, name)(typed) != wanted
    ]
    assert wrong == []
    for model, name in columns:
        for typed in TURNED:
            with pytest.raises(ValidationError, match="direction of writing"):
                bodies.text(model, name)(typed)


def test_a_name_of_a_body_is_read_in_one_line_and_counted_after_that():
    name = bodies.line(len("Électricité"))
    assert {typed: name(typed) for typed in LINES} == LINES
    for typed in TURNED:
        with pytest.raises(ValidationError, match="direction of writing"):
            name(typed)
    with pytest.raises(ValidationError, match="has 12 characters; the limit is 11"):
        name("x" * 12)


def test_an_identifier_of_a_body_is_kept_to_the_letter_or_refused():
    identifier = bodies.identifier(20)
    kept = {" E-1\u00a0\n": "E-1", "E  1": "E  1", "é-1": "é-1", "e\u0301-1": "e\u0301-1"}
    assert {typed: identifier(typed) for typed in kept} == kept
    for unseen, name in {
        "\n": "the control character U\\+000A",
        "\u00a0": "NO-BREAK SPACE",
        "\u00ad": "SOFT HYPHEN",
        "\u200b": "ZERO WIDTH SPACE",
        "\u202e": "RIGHT-TO-LEFT OVERRIDE",
        "\u2800": "BRAILLE PATTERN BLANK",
        "\u3164": "HANGUL FILLER",
        "\ufe0f": "VARIATION SELECTOR-16",
    }.items():
        with pytest.raises(
            ValidationError, match=f"invisible characters, such as {name} in place 3"
        ):
            identifier(f"E-{unseen}1")


# --- files and commands ---------------------------------------------------------------------


def file_of(*rows: tuple[str, ...]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def test_a_file_of_codes_is_stored_in_lines(code_list, account, ada):
    access = load(ada, account)
    assert access is not None
    rows = [(f"{n}", typed) for n, typed in enumerate(LINES)]
    content = file_of(("Code", "Description"), *rows, ("99", TURNED[0]))
    upload = uploads.start(content, code_list=code_list, file_name="codes.csv", access=access)
    result = apply.confirm(upload, seen=uploads.plan_of(upload).fingerprint, by=ada)
    assert result.counts["errors"] == 1
    kept = code_list.codes.order_by("sort_path").values_list("description", flat=True)
    assert list(kept) == list(LINES.values())


def test_a_file_of_companies_is_read_in_lines(account):
    table = read(file_of(("name", "city"), *((typed, typed) for typed in LINES)))
    plan = company_plan.make(table.lines, proposed(table), account=account, project=None)
    assert [planned.row.values["name"] for planned in plan.rows] == list(LINES.values())
    assert [planned.row.values["city"] for planned in plan.rows] == list(LINES.values())


def test_the_command_for_accounts_stores_lines(db, monkeypatch, capsys):
    monkeypatch.setenv("ERPBRIDGE_ADMIN_PASSWORD", "correct horse battery staple")
    call_command("create_account", DIRTY, email="O\u00adrbit@Example.com", admin_name=DIRTY)
    assert Account.objects.get().name == CLEAN
    assert (User.objects.get().name, User.objects.get().email) == (CLEAN, "orbit@example.com")
