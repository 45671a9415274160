"""Components: what a screen reader, a keyboard and a browser without scripts get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.contrib.messages import constants
from django.http import QueryDict
from django.template.loader import render_to_string

from erpbridge.access.models import Project
from erpbridge.ui.forms import limit_attrs
from erpbridge.ui.listing import list_page
from erpbridge.ui.templatetags import parts


@dataclass(frozen=True)
class Reason:
    message: str


class CompanyForm(forms.Form):
    name = forms.CharField(
        label="Company Name",
        help_text="The full legal name.",
        widget=forms.TextInput(attrs=limit_attrs(30, label="Simulator takes 30")),
    )
    union = forms.BooleanField(label="Union member", required=False)


def part(name: str, /, **context: object) -> str:
    return render_to_string(f"parts/{name}.html", context)


def test_a_disabled_button_shows_all_reasons_to_mouse_and_keyboard() -> None:
    reasons = [Reason("Name is 36 characters; Simulator takes 30."), Reason("Tax ID <missing>.")]
    html = part("button", label="Send to ERP", enabled=False, reasons=reasons, id="send-7")
    assert 'aria-disabled="true"' in html
    assert " disabled>" not in html, "it could not be focused"
    assert 'type="submit"' not in html, "it would send the form without a script"
    assert html.count('aria-describedby="why-send-7"') == 2
    assert '<span class="why-tip" role="tooltip" id="why-send-7">' in html
    assert "for 2 reasons" in html
    assert "Tax ID &lt;missing&gt;." in html


def test_an_enabled_button_posts_its_name_and_value() -> None:
    html = part("button", label="Accept", enabled=True, name="verb", value="go", style="primary")
    assert 'type="submit" class="button button-primary" name="verb" value="go"' in html
    assert "why" not in html


def test_a_button_takes_the_form_of_the_page_for_no_id_of_one() -> None:
    assert "form=" not in part("button", label="Save", enabled=True, form=CompanyForm())
    assert 'form="bulk"' in part("button", label="Save", enabled=True, form="bulk")


def test_a_button_for_ticked_rows_carries_its_reason_and_works_without_a_script() -> None:
    html = part("button", label="Send", enabled=True, needs_ticks="Tick a company.", size="small")
    assert '<span class="disabled-button" data-needs-ticks><button type="submit"' in html
    assert "button-small" in html
    assert 'id="why-send" hidden' in html
    assert "Tick a company." in html


def test_every_disabled_button_is_the_component(settings: Any) -> None:
    for file in (settings.BASE_DIR / "templates").rglob("*.html"):
        text = re.sub(r"{#.*?#}", "", file.read_text())
        disabled = re.findall(r"<button[^>]*disabled[^>]*>", text)
        assert not disabled or file.name == "button.html", f"{file}: {disabled}"


@pytest.mark.parametrize("color", ["blue", "yellow", "green", "red", "gray"])
def test_every_color_has_a_shape_of_its_own(color: str) -> None:
    assert "<svg" in part("badge", label="State", color=color)
    assert len(set(parts.BADGE_ICONS.values())) == len(parts.BADGE_ICONS)


@pytest.mark.parametrize("level", constants.DEFAULT_TAGS.values())
def test_every_message_level_has_a_banner(level: str) -> None:
    assert parts.banner_kind(f"extra {level}") in parts.BANNER_ICONS


def test_a_refused_field_is_linked_to_its_errors_help_and_counter() -> None:
    html = str(CompanyForm({"name": ""}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error id_name_counter"' in html
    for element in ("helptext", "error", "counter"):
        assert f'id="id_name_{element}"' in html
    assert '<a href="#id_name">Company Name</a>' in html


def test_the_counter_says_how_many_characters_are_too_many() -> None:
    html = str(CompanyForm(initial={"name": "x" * 36})["name"].as_field_group())
    assert "36 characters. Simulator takes 30: 6 too many." in html


def test_no_control_lets_the_browser_cut_what_is_pasted() -> None:
    class CodeForm(forms.Form):
        code = forms.CharField(max_length=30)
        notes = forms.CharField(max_length=1000, widget=forms.Textarea)

    html = str(CodeForm())
    assert "maxlength" not in html
    assert 'data-most="30"' in html
    assert 'data-most="1000"' in html
    (error,) = CodeForm({"code": "x" * 39, "notes": "n"}).errors["code"]
    assert "at most 30 characters (it has 39)" in error


def test_no_template_lets_the_browser_cut_what_is_pasted() -> None:
    (folder,) = settings.TEMPLATES[0]["DIRS"]
    pages = [*Path(folder).rglob("*.html")]
    assert pages
    assert [page.name for page in pages if "maxlength" in page.read_text()] == []


def test_a_line_break_counts_as_the_one_character_that_is_stored() -> None:
    class NotesForm(forms.Form):
        notes = forms.CharField(max_length=3, widget=forms.Textarea)

    form = NotesForm({"notes": "a\r\nb"})
    assert form.is_valid()
    assert form.cleaned_data == {"notes": "a\nb"}


def test_a_checkbox_stands_in_its_label() -> None:
    html = CompanyForm()["union"].as_field_group()
    assert '<label for="id_union"><input type="checkbox"' in html


def test_progress_asks_again_only_while_something_moves() -> None:
    moving = part("progress", href="/x/", moving=3, done=1, total=4, text="1 of 4 exported")
    assert 'hx-get="/x/" hx-trigger="every 2s"' in moving
    assert "hx-" not in part("progress", href="/x/", moving=0, done=4, total=4, text="All done")


@pytest.mark.parametrize(
    ("query", "aria", "href"),
    [
        ("sort=name&q=pier", 'aria-sort="ascending"', "sort=-name"),
        ("sort=-name&q=pier", 'aria-sort="descending"', "sort=name"),
        ("sort=number&q=pier", "", "sort=name"),
    ],
)
def test_a_sort_header_turns_the_order_and_keeps_the_search(
    db: None, query: str, aria: str, href: str
) -> None:
    page = list_page(
        Project.objects.all(), QueryDict(query), sorts={"name": "name", "number": "number"}
    )
    html = render_to_string("parts/sort_header.html", parts.sort_header(page, "name", "Name"))
    assert aria in html
    assert href in html
    assert "q=pier" in html


def test_the_search_box_keeps_filters_and_drops_the_cursor(db: None) -> None:
    page = list_page(
        Project.objects.all(), QueryDict("q=pier&trade=2&after=x"), sorts={"name": "name"}
    )
    html = part("search", page=page, label="Search projects")
    assert '<input type="hidden" name="trade" value="2">' in html
    assert 'name="q" value="pier"' in html
    assert "after" not in html


def test_no_template_breaks_the_content_security_policy(settings: Any) -> None:
    for file in (settings.BASE_DIR / "templates").rglob("*.html"):
        text = re.sub(r"{#.*?#}|{%.*?%}", "", file.read_text())
        for forbidden in (" style=", "<style", "onclick=", "onchange=", "onsubmit=", "javascript:"):
            assert forbidden not in text, f"{file.name}: {forbidden}"
