"""Forms of a connection: its settings, where it leads, why it is paused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.html import conditional_escape

from erp_integrations.adapters.base import Manifest, Setting
from erp_integrations.connections.secrets import LONGEST_SECRET
from erp_integrations.connections.settings import LIMITS
from erp_integrations.models.connections import IN_FLIGHT, RATES, USUAL_IN_FLIGHT
from erp_integrations.models.record_types import RecordType, in_words
from erp_integrations.workflow.links.connection_identity import Books
from erpbridge.ui.forms import PlainTexts
from erpbridge.ui.logs.redaction import hide

NOT_SET = "It is not set."
KEPT = "It is set. Leave it blank to keep it."
AGAIN = "Enter it again: the stored one is never sent to another address."


class PauseForm(PlainTexts, forms.Form):
    """Why a connection is paused; people waiting for an export read it."""

    reason = forms.CharField(label="Reason", max_length=300)


def secret_form_field(one: Setting, state: str = NOT_SET) -> forms.Field:
    """An input that is always empty when shown: nobody gets a stored secret back.

    :param state: whether there is one, and what becomes of it.
    """
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
    return forms.CharField(max_length=200, **shared)


def limit_form_fields(manifest: Manifest) -> dict[str, forms.Field]:
    """How fast the connection may go; each says what holds where it is left empty."""
    rate = manifest.rate
    declared = f"{rate.per_minute:,}, as the adapter declares." if rate.per_minute else "no limit."
    at_once = min(USUAL_IN_FLIGHT, rate.at_once or USUAL_IN_FLIGHT)
    most = f" The adapter declares {rate.at_once:,} at most." if rate.at_once else ""
    return {
        "rate_per_minute": _whole_number(
            "Commands a minute", RATES, f"How many records are sent in a minute. Empty: {declared}"
        ),
        "max_in_flight": _whole_number(
            "Most at once", IN_FLIGHT, f"How many are being sent at a time. Empty: {at_once}.{most}"
        ),
    }


def _whole_number(label: str, limits: tuple[int, int], words: str) -> forms.Field:
    wrong = f"{label} must be a whole number from {limits[0]} to {limits[1]:,}."
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=limits[0],
        max_value=limits[1],
        help_text=words,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), wrong),
    )


class ConnectionForm(PlainTexts, forms.Form):
    """Name, settings and limits of a connection; ``secrets_set`` are the names of those it has.

    ``leads``: it leads somewhere already, which is no setting like the others.
    """

    name = forms.CharField(label="Name", max_length=100)

    def __init__(
        self,
        manifest: Manifest,
        *args: Any,
        secrets_set: Collection[str] = (),
        leads: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.identity = {one.name for one in manifest.identity if leads}
        shown = [one for one in manifest.settings if one.name not in self.identity]
        self.setting_names = [one.name for one in shown if one.kind != "secret"]
        self.secret_names = [one.name for one in shown if one.kind == "secret"]
        for one in shown:
            self.fields[one.name] = setting_form_field(one)
            if one.name in self.secret_names and one.name in secrets_set:
                self.fields[one.name] = secret_form_field(one, KEPT)
                self.fields[_removal(one.name)] = forms.BooleanField(
                    label=f"Remove the stored {one.label}", required=False
                )
        self.fields.update(limit_form_fields(manifest))

    def clean(self) -> dict[str, Any]:
        """A secret is either replaced or removed."""
        hide(self.secrets.values())
        for name in set(self.removed) & set(self.secrets):
            self.add_error(name, "Give a new value, or tick Remove; not both.")
        return self.cleaned_data

    @property
    def config(self) -> Mapping[str, Any]:
        """The adapter's settings out of the cleaned data.

        One that is identity and was sent all the same is for the service to refuse.
        """
        sent = {name: self.data[name] for name in self.identity if name in self.data}
        return sent | {name: self.cleaned_data.get(name) for name in self.setting_names}

    @property
    def limits(self) -> Mapping[str, int | None]:
        """How fast it may go; None where the field was left empty."""
        return {name: self.cleaned_data.get(name) for name in LIMITS}

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


class IdentityForm(PlainTexts, forms.Form):
    """Where a connection leads, every secret it has, and what becomes of its links."""

    def __init__(
        self,
        manifest: Manifest,
        *args: Any,
        secrets_set: Collection[str],
        linked: Sequence[tuple[RecordType, int]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.setting_names = [one.name for one in manifest.identity]
        self.secret_names = [one.name for one in manifest.settings if one.kind == "secret"]
        for one in manifest.identity:
            self.fields[one.name] = setting_form_field(one)
        for one in manifest.settings:
            if one.kind == "secret":
                # Not required for the form: the service says which are needed, and why.
                state = AGAIN if one.name in secrets_set else NOT_SET
                self.fields[one.name] = secret_form_field(one, state)
        if linked:
            self.fields["books"] = _books_field(linked)

    def clean(self) -> dict[str, Any]:
        """What was typed is kept out of the log from now on."""
        hide(self.secrets.values())
        return self.cleaned_data

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings that say where it leads."""
        return {name: self.cleaned_data.get(name) for name in self.setting_names}

    @property
    def secrets(self) -> Mapping[str, str]:
        """Those that were typed."""
        return {name: self.cleaned_data.get(name) or "" for name in self.secret_names}

    @property
    def books(self) -> Books | None:
        """What was said of the links; None where nothing is linked."""
        said = self.cleaned_data.get("books")
        return Books(said) if said else None


def _books_field(linked: Sequence[tuple[RecordType, int]]) -> forms.Field:
    count = in_words(linked)
    return forms.ChoiceField(
        label="What it leads to",
        widget=forms.RadioSelect,
        choices=[
            (Books.SAME, f"The same books under a new address: the links of {count} stay"),
            (Books.OTHER, f"Other books: the links of {count} end"),
        ],
        error_messages={"required": f"Say what becomes of the links of {count}."},
        help_text="The ERP keeps its records either way. Once a link has ended, the record here "
        "counts as not in the ERP, and can be sent again or linked there.",
    )
