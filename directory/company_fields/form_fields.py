"""Form fields that choose among rows already read: one query, however many fields share them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model

Label = Callable[[Any], str]
GONE = "One of the choices is not offered here (any more). Choose again."


class Several(forms.MultipleChoiceField):
    """Several of the offered rows; the value is a list of them."""

    widget = forms.CheckboxSelectMultiple

    def offer(self, rows: Iterable[Model], *, label: Label = str) -> None:
        """Give the rows to choose from."""
        self.known = {str(row.pk): row for row in rows}
        self.choices = [(key, label(row)) for key, row in self.known.items()]

    def prepare_value(self, value: Any) -> Any:
        """Keys, whether rows or what was posted is shown."""
        return [str(getattr(one, "pk", one)) for one in value or []]

    def to_python(self, value: Any) -> list[Any]:
        """The chosen rows. :raises ValidationError: for one that is not offered."""
        keys = super().to_python(value)
        if any(key not in self.known for key in keys):
            raise ValidationError(GONE, code="invalid_choice")
        return [self.known[key] for key in keys]

    def validate(self, value: Any) -> None:
        """Only that something was chosen where something must be; the rest is settled."""
        forms.Field.validate(self, value)


class One(forms.ChoiceField):
    """One of the offered rows, or none."""

    def offer(self, rows: Iterable[Model], *, label: Label = str) -> None:
        """Give the rows to choose from."""
        self.known = {str(row.pk): row for row in rows}
        choices = [(key, label(row)) for key, row in self.known.items()]
        self.choices = [("", "Not chosen"), *choices]

    def prepare_value(self, value: Any) -> Any:
        """The key, whether a row or what was posted is shown."""
        return getattr(value, "pk", value)

    def to_python(self, value: Any) -> Any:
        """The chosen row. :raises ValidationError: for one that is not offered."""
        key = super().to_python(value)
        if not key:
            return None
        if key not in self.known:
            raise ValidationError(GONE, code="invalid_choice")
        return self.known[key]

    def validate(self, value: Any) -> None:
        """Only that something was chosen where something must be; the rest is settled."""
        forms.Field.validate(self, value)
