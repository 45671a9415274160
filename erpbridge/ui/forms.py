"""How every form of the product is drawn (templates parts/form.html, parts/field.html)."""

from __future__ import annotations

from dataclasses import dataclass

from django.forms.boundfield import BoundField
from django.forms.renderers import TemplatesSetting


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
    """A bound field that knows the counter of its widget's ``data-limit``."""

    @property
    def limit(self) -> Limit | None:
        """The limit and the present length, where the widget has ``data-limit``."""
        attrs = self.field.widget.attrs
        if "data-limit" not in attrs:
            return None
        text = str(self.value() or "").strip().replace("\r\n", "\n")
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
