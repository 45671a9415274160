"""The forms that the pages of an account show, as a browser would send them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import resolve

Values = dict[str, list[str]]


@dataclass
class Form:
    """Where it goes, what it holds as shown, and what can be picked in its fields."""

    action: str
    values: Values = field(default_factory=dict)
    offered: Values = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the address."""
        return resolve(self.action.partition("?")[0]).view_name

    def pressed(self) -> Iterator[Values]:
        """What is sent by each of the buttons, or without one; of what can be ticked one is."""
        picked = {
            name: self.values.get(name) or options[:1] for name, options in self.offered.items()
        }
        for name, value in self.buttons or [("", "")]:
            yield {**picked, **self.values, **({name: [value]} if name else {})}


class _Reading(HTMLParser):
    """Collects the forms of a page that are sent by POST."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.forms: list[Form] = []
        self.ids: dict[str, Form] = {}
        # Fields that name a form which comes later.
        self.early: list[tuple[str, dict[str, str | None], str]] = []
        self.form: Form | None = None
        self.select: tuple[Form, str, bool] | None = None
        self.text: tuple[Form, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._open(given)
        elif tag == "option" and self.select is not None:
            form, name, _several = self.select
            form.offered.setdefault(name, []).append(given.get("value") or "")
            if "selected" in given:
                form.values.setdefault(name, []).append(given.get("value") or "")
        elif tag in ("input", "select", "textarea", "button") and "disabled" not in given:
            form = self.ids.get(given.get("form") or "") if given.get("form") else self.form
            if form is None and given.get("form"):
                self.early.append((tag, given, given["form"] or ""))
            elif form is not None:
                self._field(tag, given, form)

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
        for tag, given, of in self.early:
            if of in self.ids and tag in ("input", "button"):
                self._field(tag, given, self.ids[of])

    def _open(self, given: dict[str, str | None]) -> None:
        action = given.get("action") or given.get("hx-post") or self.path
        self.form = Form(action if action.startswith("/") else self.path)
        if (given.get("method") or "").lower() == "post":
            self.forms.append(self.form)
        self.ids[given.get("id") or ""] = self.form

    def _field(self, tag: str, given: dict[str, str | None], form: Form) -> None:
        name, value = given.get("name") or "", given.get("value") or ""
        kind = (given.get("type") or ("submit" if tag == "button" else "text")).lower()
        action = given.get("formaction")
        if action:
            other = Form(action, form.values, form.offered, [(name, value)] if name else [])
            self.forms.append(other)
        elif kind == "submit" and name:
            form.buttons.append((name, value))
        elif tag == "select" and name:
            self.select = (form, name, "multiple" in given)
        elif tag == "textarea" and name:
            form.values[name] = [""]
            self.text = (form, name)
        elif name in ("", "csrfmiddlewaretoken") or kind in ("file", "submit", "button"):
            return
        elif kind in ("checkbox", "radio"):
            form.offered.setdefault(name, []).append(value or "on")
            if "checked" in given:
                form.values.setdefault(name, []).append(value or "on")
        else:
            form.values.setdefault(name, []).append(value)


def shown_on(client: Client, path: str) -> list[Form]:
    """The forms of one page."""
    return shown_in(client.get(path, follow=True))


def shown_in(answer: Any) -> list[Form]:
    """The forms of an answer; none of what is no page."""
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code != 200 or not kind.startswith("text/html"):
        return []
    reading = _Reading(answer.wsgi_request.get_full_path())
    reading.feed(answer.content.decode())
    reading.close()
    return reading.forms
