"""Forms of ERP Integrations: acceptance fields, reasons, answers, connection settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.utils.html import conditional_escape

from erp_integrations.adapters.base import AcceptanceField, EntityManifest, Manifest, Setting
from erp_integrations.models import Choice, Connection
from erp_integrations.secrets import LONGEST_SECRET
from erpbridge.ui.forms import PlainTexts
from erpbridge.ui.redaction import hide

LONGEST_REASON = 1_000


def choices_of(connection: Connection, kind: str) -> list[tuple[str, str]]:
    """The ERP's own list, as a form offers it."""
    found = Choice.objects.filter(connection=connection, kind=kind, active=True).order_by("label")
    return list(found.values_list("code", "label"))


def acceptance_form_field(one: AcceptanceField, connection: Connection) -> forms.Field:
    """The form field of one acceptance field; its rules are checked when accepting."""
    if one.choices:
        offered = [("", f"Choose {one.label.lower()}"), *choices_of(connection, one.choices)]
        return forms.ChoiceField(
            label=one.label, choices=offered, required=one.required, help_text=one.help
        )
    most = next((int(rule.value) for rule in one.rules if rule.kind == "max_length"), 200)
    # No max_length: with it a browser cuts what is pasted, and cuts it silently.
    return forms.CharField(
        label=one.label,
        required=one.required,
        help_text=one.help,
        validators=[MaxLengthValidator(most)],
    )


class AcceptanceForm(forms.Form):
    """What the adapter asks of the approver, for one item or for many at once."""

    def __init__(
        self, manifest: EntityManifest, connection: Connection, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for one in manifest.acceptance_fields:
            self.fields[one.name] = acceptance_form_field(one, connection)


class CommonValuesForm(forms.Form):
    """The acceptance fields that many items can share: those picked from a list of the ERP."""

    def __init__(
        self, manifest: EntityManifest, connection: Connection, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        for one in manifest.acceptance_fields:
            if one.choices:
                self.fields[one.name] = acceptance_form_field(one, connection)


class ReasonForm(PlainTexts, forms.Form):
    """Why something is handed back; the sender reads it."""

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The sender sees it. Say what has to change.",
        validators=[ProhibitNullCharactersValidator()],
    )


class AnswerForm(PlainTexts, forms.Form):
    """What a person found when looking into the ERP."""

    erp_id = forms.CharField(label="Its ID in the ERP", max_length=200, required=False)
    why = forms.CharField(label="How do you know?", max_length=LONGEST_REASON)


class PauseForm(PlainTexts, forms.Form):
    """Why a connection is paused; people waiting for an export read it."""

    reason = forms.CharField(label="Reason", max_length=300)


def secret_form_field(one: Setting, *, is_set: bool = False) -> forms.Field:
    """An input that is always empty when shown: nobody gets a stored secret back."""
    state = "It is set. Leave it blank to keep it." if is_set else "It is not set."
    # An adapter's own words, which a help text would take for HTML.
    words = f"{conditional_escape(one.help)} {state}" if one.help else state
    # No max_length: with it a browser cuts what is pasted, and cuts it silently.
    return forms.CharField(
        label=one.label,
        help_text=words,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        validators=[MaxLengthValidator(LONGEST_SECRET)],
    )


def setting_form_field(one: Setting) -> forms.Field:
    """The form field of one setting of an adapter."""
    shared: dict[str, Any] = {"label": one.label, "help_text": one.help, "required": False}
    if one.kind == "secret":
        return secret_form_field(one)
    if one.options:
        return forms.ChoiceField(choices=one.options, **shared)
    if one.kind == "integer":
        return forms.IntegerField(min_value=one.least, max_value=one.most, **shared)
    if one.kind == "secret":
        shared["help_text"] = f"{one.help} Left empty, it stays as it is."
        shared["widget"] = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(max_length=200, **shared)


class ConnectionForm(forms.Form):
    """Name and settings of a connection; ``secrets_set`` are the names of those it has."""

    name = forms.CharField(label="Name", max_length=100)

    def __init__(
        self, manifest: Manifest, *args: Any, secrets_set: Collection[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.setting_names = [one.name for one in manifest.settings if one.kind != "secret"]
        self.secret_names = [one.name for one in manifest.settings if one.kind == "secret"]
        for one in manifest.settings:
            self.fields[one.name] = setting_form_field(one)
            if one.name in self.secret_names and one.name in secrets_set:
                self.fields[one.name] = secret_form_field(one, is_set=True)
                self.fields[_removal(one.name)] = forms.BooleanField(
                    label=f"Remove the stored {one.label}", required=False
                )

    def clean(self) -> dict[str, Any]:
        """A secret is either replaced or removed."""
        hide(self.secrets.values())
        for name in set(self.removed) & set(self.secrets):
            self.add_error(name, "Give a new value, or tick Remove; not both.")
        return self.cleaned_data

    @property
    def config(self) -> Mapping[str, Any]:
        """The adapter's settings out of the cleaned data."""
        return {name: self.cleaned_data.get(name) for name in self.setting_names}

    @property
    def secrets(self) -> Mapping[str, str]:
        """Newly given secrets."""
        given = {name: self.cleaned_data.get(name) or "" for name in self.secret_names}
        return {name: value for name, value in given.items() if value.strip()}

    @property
    def removed(self) -> list[str]:
        """The secrets to forget."""
        return [name for name in self.secret_names if self.cleaned_data.get(_removal(name))]


def _removal(name: str) -> str:
    return f"{name}__remove"
