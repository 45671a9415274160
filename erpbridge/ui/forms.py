"""Rendering and cleaning of all forms (templates parts/form.html, parts/field.html)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.forms import BaseForm, CharField, PasswordInput, Textarea
from django.forms import Field as FormField
from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting

from erpbridge.db.text import one_line, refuse_direction_controls


class PlainTexts:
    """Form mixin: single-line text is stored on one line (``db.text.one_line``).

    No text may have characters that change the direction of writing.
    """

    fields: dict[str, Any]

    def full_clean(self) -> None:
        """Clean the posted data, also of fields that were added later."""
        for field in self.fields.values():
            # A password may hold any character, and is compared as it was typed.
            if isinstance(field, CharField) and not isinstance(field.widget, PasswordInput):
                _make_plain(field)
        super().full_clean()  # type: ignore[misc]  # of the form that this is mixed into


def _make_plain(field: CharField) -> None:
    """Add the validation unless it was added before: a form may be cleaned twice."""
    if refuse_direction_controls in field.validators:
        return
    field.validators.append(refuse_direction_controls)
    if not isinstance(field.widget, Textarea):
        # Wrapped before validation, so that limits apply to the cleaned text.
        read = field.to_python
        field.to_python = lambda value: one_line(read(value) or "")  # type: ignore[method-assign]


@dataclass(frozen=True)
class Limit:
    """The length of a value and the limit of another system (the ERP); shown, not enforced."""

    current: int
    most: int
    label: str

    @property
    def excess(self) -> int:
        """Characters over the limit, 0 for none."""
        return max(0, self.current - self.most)


def limit_attrs(most: int, *, label: str) -> dict[str, str]:
    """Return the widget attributes of a live character count; ``label`` says whose limit it is."""
    return {"data-limit": str(most), "data-limit-label": label}


class Field(BoundField):
    """A bound field with a character counter if its widget has ``data-limit``.

    Browsers silently cut pasted text at ``maxlength``. So the attribute is replaced by
    ``data-most``, with which app.js warns and the form rejects the text as a whole.
    """

    def __init__(self, form: BaseForm, field: FormField, name: str) -> None:
        super().__init__(form, field, name)
        most = field.widget.attrs.pop("maxlength", None)
        if most is not None:
            field.widget.attrs["data-most"] = most

    @property
    def data(self) -> object:
        """The posted value, with line breaks as one character; browsers post two."""
        value = super().data
        return value.replace("\r\n", "\n") if isinstance(value, str) else value

    @property
    def limit(self) -> Limit | None:
        """The limit and the current length, if the widget has ``data-limit``."""
        attrs = self.field.widget.attrs
        if "data-limit" not in attrs:
            return None
        typed = str(self.value() or "")
        is_multiline = isinstance(self.field.widget, Textarea)
        text = typed.replace("\r\n", "\n").strip() if is_multiline else one_line(typed)
        return Limit(len(text), int(attrs["data-limit"]), attrs.get("data-limit-label", ""))

    @property
    def aria_describedby(self) -> str | None:
        """Help and errors as in Django, then the counter."""
        described: str | None = super().aria_describedby
        if described is None or self.limit is None:
            return described
        return f"{described} {self.auto_id}_counter".strip()


class Renderer(TemplatesSetting):
    """Project templates first, then Django's own form templates."""

    form_template_name = "parts/form.html"
    field_template_name = "parts/field.html"
    bound_field_class = Field
