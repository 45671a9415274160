"""The forms of a page, as a browser would send them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

TYPED = {
    "text": "Probe 1",
    "search": "",
    "number": "1",
    "email": "probe@example.com",
    "url": "https://example.com",
    "tel": "555-0100",
    "date": "2026-01-02",
    "password": "Probe-Word-17",
}


@dataclass
class Form:
    """One form with one of its buttons."""

    action: str
    fields: list[tuple[str, Any]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)

    def sent(self, button: tuple[str, str, str]) -> tuple[str, dict[str, list[Any]]]:
        """Address and body of a click on a button."""
        name, value, elsewhere = button
        data: dict[str, list[Any]] = {}
        for one, given in [*self.fields, *([(name, value)] if name else [])]:
            made = SimpleUploadedFile("probe.csv", b"Company\nProbe\n") if given is FILE else given
            data.setdefault(one, []).append(made)
        return elsewhere or self.action, data


FILE = object()


class Forms(HTMLParser):
    """Reads a page; ``found`` are the forms that POST."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.found = path, list[Form]()
        self._form: Form | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Forms, fields and buttons."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            posts = given.get("method", "").lower() == "post" or "hx-post" in given
            self._form = Form(given.get("hx-post") or given.get("action") or self.path)
            if posts:
                self.found.append(self._form)
        elif "hx-post" in given and tag != "button":
            self.found.append(
                Form(given["hx-post"], [(given.get("name", ""), "1")], [("", "", "")])
            )
        if self._form is None:
            return
        if tag == "input":
            self._input(given)
        elif tag == "button" and given.get("type", "submit") == "submit":
            elsewhere = given.get("hx-post") or given.get("formaction", "")
            self._form.buttons.append((given.get("name", ""), given.get("value", ""), elsewhere))
        elif tag == "select":
            self._select = (given.get("name", ""), [])
        elif tag == "option" and self._select:
            self._select[1].append((given.get("value", ""), "selected" in given))
        elif tag == "textarea":
            self._area = [given.get("name", ""), ""]

    def _input(self, given: dict[str, str]) -> None:
        assert self._form is not None
        kind, name, value = given.get("type", "text"), given.get("name", ""), given.get("value", "")
        if not name or "disabled" in given or kind in ("submit", "button"):
            return
        if kind == "file":
            self._form.fields.append((name, FILE))
        elif kind in ("checkbox", "radio"):
            # Rows are ticked; of choices, what is chosen.
            if "checked" in given or name in ("ids", "confirm") or "required" in given:
                self._form.fields.append((name, value or "on"))
        else:
            self._form.fields.append((name, value or TYPED.get(kind, "")))

    def handle_endtag(self, tag: str) -> None:
        """The end of what was begun."""
        if tag == "form":
            self._form = None
        elif tag == "select" and self._select and self._form:
            name, options = self._select
            chosen = [value for value, picked in options if picked]
            chosen = chosen or [value for value, _picked in options if value] or [""]
            self._form.fields.append((name, chosen[0]))
            self._select = None
        elif tag == "textarea" and self._area and self._form:
            self._form.fields.append((self._area[0], self._area[1].strip() or "Probe text"))
            self._area = None

    def handle_data(self, data: str) -> None:
        """What stands in a text area."""
        if self._area is not None:
            self._area[1] += data


def forms_of(path: str, page: str) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """What clicks on the page would send: address and body."""
    reader = Forms(path)
    reader.feed(page)
    for form in reader.found:
        for button in form.buttons or [("", "", "")]:
            yield form.sent(button)
