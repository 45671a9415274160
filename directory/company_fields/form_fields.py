"""Form fields that choose among rows read before, so that several fields share one query."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model

Label = Callable[[Any], str]
GONE = "One of the choices is not offered here (any more). Choose again."


class Several(forms.MultipleChoiceField):
    """Choose several of the offered rows; the value is a list of rows."""

    widget = forms.CheckboxSelectMultiple

    def offer(self, rows: Iterable[Model], *, label: Label = str) -> None:
        """Set the rows to choose from."""
        self.known = {str(row.pk): row for row in rows}
        self.choices = [(key, label(row)) for key, row in self.known.items()]

    def prepare_value(self, value: Any) -> list[str]:
        """Keys, for both rows and posted values."""
        return [str(getattr(item, "pk", item)) for item in value or []]

    def to_python(self, value: object) -> list[Any]:
        """The chosen rows. :raises ValidationError: for a row that is not offered."""
        keys = super().to_python(value)
        if any(key not in self.known for key in keys):
            raise ValidationError(GONE, code="invalid_choice")
        return [self.known[key] for key in keys]

    def validate(self, value: object) -> None:
        """Check only ``required``; :meth:`to_python` has checked the choices."""
        forms.Field.validate(self, value)


class One(forms.ChoiceField):
    """Choose one of the offered rows, or none."""

    def offer(self, rows: Iterable[Model], *, label: Label = str) -> None:
        """Set the rows to choose from."""
        self.known = {str(row.pk): row for row in rows}
        choices = [(key, label(row)) for key, row in self.known.items()]
        self.choices = [("", "Not chosen"), *choices]

    def prepare_value(self, value: object) -> object:
        """The key, for both a row and a posted value."""
        return getattr(value, "pk", value)

    def to_python(self, value: object) -> object:
        """The chosen row. :raises ValidationError: for a row that is not offered."""
        key = super().to_python(value)
        if not key:
            return None
        if key not in self.known:
            raise ValidationError(GONE, code="invalid_choice")
        return self.known[key]

    def validate(self, value: object) -> None:
        """Check only ``required``; :meth:`to_python` has checked the choice."""
        forms.Field.validate(self, value)
