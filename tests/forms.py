"""The forms of a page, as a browser would send them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import resolve

Values = dict[str, list[str]]
Given = dict[str, str | None]
# What is typed into a field that is shown empty, by its type.
TYPED = {
    "text": "Probe 1",
    "textarea": "Probe text",
    "number": "1",
    "email": "probe@example.com",
    "url": "https://example.com",
    "tel": "555-0100",
    "date": "2026-01-02",
    "password": "Probe-Word-17",
}
PLACES = ("input", "select", "textarea", "button")


@dataclass
class Form:
    """The address of a form, the values that it shows, and the choices of its fields."""

    action: str
    values: Values = field(default_factory=dict)
    offered: Values = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    # The type of each field that is typed into, and the fields for files.
    kinds: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    # Whether only a script sends it.
    scripted: bool = False

    @property
    def name(self) -> str:
        """The name of the URL."""
        return resolve(self.action.partition("?")[0]).view_name

    def elsewhere(self, action: str, button: tuple[str, str], *, scripted: bool = False) -> Form:
        """The same fields, sent by a button that has an address of its own."""
        fields = (self.values, self.offered, [button], self.kinds, self.files)
        return Form(action, *fields, scripted=scripted)

    def pressed(self) -> Iterator[Values]:
        """What each button sends, or a form without one; the first choice of a field is picked."""
        choices = {
            name: self.values.get(name) or options[:1] for name, options in self.offered.items()
        }
        for name, value in self.buttons or [("", "")]:
            yield {**choices, **self.values, **({name: [value]} if name else {})}

    def filled(self) -> Iterator[dict[str, list[Any]]]:
        """The same, with a value in every field that is empty, and a file in every upload."""
        for pressed in self.pressed():
            files = {name: [SimpleUploadedFile("probe.csv", CSV)] for name in self.files}
            yield {name: self._filled(name, values) for name, values in pressed.items()} | files

    def _filled(self, name: str, values: list[str]) -> list[str]:
        if any(value.strip() for value in values):
            return values
        typed = TYPED.get(self.kinds.get(name, ""), "")
        return [next(filter(None, self.offered.get(name, [])), typed)]


CSV = b"Company\nProbe\n"


class _Reading(HTMLParser):
    """Collects the forms of a page that are sent by POST."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.forms: list[Form] = []
        self.ids: dict[str, Form] = {}
        # Fields that name a form which comes later.
        self.early: list[tuple[str, Given, str]] = []
        self.form: Form | None = None
        self.select: tuple[Form, str, bool] | None = None
        self.text: tuple[Form, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self._open(attributes)
        elif tag == "option" and self.select is not None:
            self._option(attributes, *self.select)
        elif tag in PLACES and "disabled" not in attributes:
            self._place(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.form = None
        elif tag == "select" and self.select is not None:
            form, name, several = self.select
            if name not in form.values and not several:
                form.values[name] = form.offered.get(name, [])[:1]
            self.select = None
        elif tag == "textarea":
            self.text = None

    def handle_data(self, data: str) -> None:
        if self.text is not None:
            form, name = self.text
            form.values[name] = [form.values[name][0] + data.lstrip("\n")]

    def close(self) -> None:
        super().close()
        for tag, attributes, form_id in self.early:
            if form_id in self.ids and tag in ("input", "button"):
                self._field(tag, attributes, self.ids[form_id])

    def _open(self, attributes: Given) -> None:
        action = attributes.get("action") or attributes.get("hx-post") or self.path
        posts = (attributes.get("method") or "").lower() == "post"
        self.form = Form(action if action.startswith("/") else self.path, scripted=not posts)
        if posts or "hx-post" in attributes:
            self.forms.append(self.form)
        self.ids[attributes.get("id") or ""] = self.form

    def _option(self, attributes: Given, form: Form, name: str, _several: bool) -> None:
        form.offered.setdefault(name, []).append(attributes.get("value") or "")
        if "selected" in attributes:
            form.values.setdefault(name, []).append(attributes.get("value") or "")

    def _place(self, tag: str, attributes: Given) -> None:
        """Add a field or button to the form around it, or to the one that it names."""
        form_id = attributes.get("form")
        form = self.ids.get(form_id) if form_id else self.form
        if form is not None:
            self._field(tag, attributes, form)
        elif form_id:
            self.early.append((tag, attributes, form_id))
        elif "hx-post" in attributes:
            self._field(tag, attributes, Form(self.path))

    def _field(self, tag: str, attributes: Given, form: Form) -> None:
        name, value = attributes.get("name") or "", attributes.get("value") or ""
        kind = (attributes.get("type") or ("submit" if tag == "button" else "text")).lower()
        if "hx-post" in attributes:
            # Sent alone as soon as it changes.
            alone = form.elsewhere if tag == "button" else Form(self.path).elsewhere
            self.forms.append(alone(attributes["hx-post"] or "", (name, value), scripted=True))
        if action := attributes.get("formaction"):
            self.forms.append(form.elsewhere(action, (name, value)))
        elif kind == "submit":
            form.buttons.append((name, value))
        elif tag == "select" and name:
            self.select = (form, name, "multiple" in attributes)
        elif tag == "textarea" and name:
            form.values[name], form.kinds[name] = [""], "textarea"
            self.text = (form, name)
        elif name not in ("", "csrfmiddlewaretoken") and kind not in ("submit", "button"):
            self._input(form, kind, name, value, checked="checked" in attributes)

    def _input(self, form: Form, kind: str, name: str, value: str, *, checked: bool) -> None:
        if kind == "file":
            form.files.append(name)
        elif kind in ("checkbox", "radio"):
            form.offered.setdefault(name, []).append(value or "on")
            if checked:
                form.values.setdefault(name, []).append(value or "on")
        else:
            form.values.setdefault(name, []).append(value)
            form.kinds[name] = kind


def shown_on(client: Client, path: str) -> list[Form]:
    """The forms of one page."""
    return shown_in(client.get(path, follow=True))


def shown_in(answer: Any) -> list[Form]:
    """The forms of an answer; none if it is not a page."""
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code != 200 or not kind.startswith("text/html"):
        return []
    reading = _Reading(answer.wsgi_request.get_full_path())
    reading.feed(answer.content.decode())
    reading.close()
    return reading.forms
