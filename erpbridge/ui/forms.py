"""How every form of the product is drawn (templates parts/form.html, parts/field.html)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.forms import BaseForm, CharField, PasswordInput, Textarea
from django.forms import Field as FormField
from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting

from erpbridge.db.text import one_line, refuse_direction_controls


class PlainTexts:
    """Mixin of forms: what is typed into one line is stored as one (``db.text.one_line``),
    and no text may hold characters that turn what is written around it.
    """

    fields: dict[str, Any]

    def full_clean(self) -> None:
        """Clean what was posted, of fields that were added late too."""
        for field in self.fields.values():
            if isinstance(field, CharField) and not isinstance(field.widget, PasswordInput):
                _make_plain(field)
        super().full_clean()  # type: ignore[misc]  # of the form that this is mixed into


def _make_plain(field: CharField) -> None:
    """Once: a form may be cleaned again."""
    if refuse_direction_controls in field.validators:
        return
    field.validators.append(refuse_direction_controls)
    if not isinstance(field.widget, Textarea):
        read = field.to_python
        field.to_python = lambda value: one_line(read(value) or "")  # type: ignore[method-assign]


@dataclass(frozen=True)
class Limit:
    """How long a value is against what somebody else (the ERP) takes; shown, never enforced."""

    current: int
    most: int
    label: str

    @property
    def excess(self) -> int:
        """How many characters are too many, 0 for none."""
        return max(0, self.current - self.most)


def limit_attrs(most: int, *, label: str) -> dict[str, str]:
    """Widget attributes that give a field a live character count: ``label`` says whose limit."""
    return {"data-limit": str(most), "data-limit-label": label}


class Field(BoundField):
    """A bound field that knows the counter of its widget's ``data-limit``.

    A browser cuts what is pasted at ``maxlength`` and says nothing of it. So no control has one:
    ``data-most`` lets app.js say what is too long, and the form refuses it whole.
    """

    def __init__(self, form: BaseForm, field: FormField, name: str) -> None:
        super().__init__(form, field, name)
        most = field.widget.attrs.pop("maxlength", None)
        if most is not None:
            field.widget.attrs["data-most"] = most

    @property
    def data(self) -> Any:
        """What was posted; a browser posts two characters for a line break that is one."""
        value = super().data
        return value.replace("\r\n", "\n") if isinstance(value, str) else value

    @property
    def limit(self) -> Limit | None:
        """The limit and the present length, where the widget has ``data-limit``."""
        attrs = self.field.widget.attrs
        if "data-limit" not in attrs:
            return None
        typed = str(self.value() or "")
        in_lines = isinstance(self.field.widget, Textarea)
        text = typed.replace("\r\n", "\n").strip() if in_lines else one_line(typed)
        return Limit(len(text), int(attrs["data-limit"]), attrs.get("data-limit-label", ""))

    @property
    def aria_describedby(self) -> str | None:
        """Help and errors as Django gives them, then the counter."""
        described: str | None = super().aria_describedby
        if described is None or self.limit is None:
            return described
        return f"{described} {self.auto_id}_counter".strip()


class Renderer(TemplatesSetting):
    """Project templates first, Django's own form templates behind them."""

    form_template_name = "parts/form.html"
    field_template_name = "parts/field.html"
    bound_field_class = Field
