"""Forms of a connection: settings, identity (where it leads), and the reason of a pause."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.html import conditional_escape

from erp_integrations.adapters.base import Manifest, Setting, SettingKind
from erp_integrations.connections.secrets import LONGEST_SECRET
from erp_integrations.connections.settings import LIMITS
from erp_integrations.models.connections import IN_FLIGHT, RATES
from erp_integrations.models.record_types import RecordType, in_words
from erp_integrations.workflow.links.connection_identity import Books
from erpbridge.ui.forms import PlainTexts
from erpbridge.ui.logs.redaction import hide

NOT_SET = "It is not set."
KEPT = "It is set. Leave it blank to keep it."
AGAIN = "Enter it again: the stored one is never sent to another address."


class PauseForm(PlainTexts, forms.Form):
    """Why a connection is paused; shown to everybody who waits for an export."""

    reason = forms.CharField(label="Reason", max_length=300)


def secret_form_field(setting: Setting, state: str = NOT_SET) -> forms.Field:
    """Return an input for a secret. It is always empty: stored secrets are never shown.

    :param state: whether a secret is stored, and what happens to it; part of the help text.
    """
    # Help texts are rendered as HTML, and this one comes from an adapter.
    words = f"{conditional_escape(setting.help)} {state}" if setting.help else state
    # No max_length: with it, a browser silently cuts what is pasted.
    return forms.CharField(
        label=setting.label,
        help_text=words,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        validators=[MaxLengthValidator(LONGEST_SECRET)],
    )


def setting_form_field(setting: Setting) -> forms.Field:
    """Return the form field of one setting of an adapter."""
    # Never required here: the service checks the settings (connections.settings.clean_config).
    shared: dict[str, Any] = {
        "label": setting.label,
        "help_text": setting.help,
        "required": False,
    }
    if setting.kind == SettingKind.SECRET:
        return secret_form_field(setting)
    if setting.options:
        return forms.ChoiceField(choices=setting.options, **shared)
    if setting.kind == SettingKind.INTEGER:
        return forms.IntegerField(min_value=setting.least, max_value=setting.most, **shared)
    return forms.CharField(max_length=200, **shared)


def limit_form_fields(manifest: Manifest) -> dict[str, forms.Field]:
    """Return the fields that limit the speed of a connection; each says its default."""
    rate = manifest.rate
    declared = f"{rate.per_minute:,}, as the adapter declares." if rate.per_minute else "no limit."
    calls = manifest.concurrency
    most = f"{calls:,} call{'' if calls == 1 else 's'} at a time, as the adapter declares."
    return {
        "rate_per_minute": _whole_number(
            "Commands a minute", RATES, f"How many records are sent in a minute. Empty: {declared}"
        ),
        "max_in_flight": _whole_number(
            "Most at once", IN_FLIGHT, f"How many records are being sent at a time. Empty: {most}"
        ),
    }


def _whole_number(label: str, limits: tuple[int, int], words: str) -> forms.Field:
    message = f"{label} must be a whole number from {limits[0]} to {limits[1]:,}."
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=limits[0],
        max_value=limits[1],
        help_text=words,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), message),
    )


class ConnectionForm(PlainTexts, forms.Form):
    """Name, settings and limits of a connection.

    ``secrets_set`` are the names of its stored secrets. ``leads``: it leads to an ERP already, so
    that its identity settings are not part of the form; see :class:`IdentityForm`.
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
        self.identity = {setting.name for setting in manifest.identity if leads}
        visible = [setting for setting in manifest.settings if setting.name not in self.identity]
        self.setting_names = [
            setting.name for setting in visible if setting.kind != SettingKind.SECRET
        ]
        self.secret_names = [
            setting.name for setting in visible if setting.kind == SettingKind.SECRET
        ]
        for setting in visible:
            self.fields[setting.name] = setting_form_field(setting)
            if setting.name in self.secret_names and setting.name in secrets_set:
                self.fields[setting.name] = secret_form_field(setting, KEPT)
                # An empty input keeps the secret, so removing one needs a box of its own.
                self.fields[_removal(setting.name)] = forms.BooleanField(
                    label=f"Remove the stored {setting.label}", required=False
                )
        self.fields.update(limit_form_fields(manifest))

    def clean(self) -> dict[str, object]:
        """Redact new secrets in the log from now on; reject one that is replaced and removed."""
        hide(self.secrets.values())
        for name in set(self.removed) & set(self.secrets):
            self.add_error(name, "Enter a new value or tick Remove, not both.")
        return self.cleaned_data

    @property
    def config(self) -> Mapping[str, object]:
        """The adapter's settings.

        Identity settings that were posted all the same are included: the service refuses them.
        """
        posted = {name: self.data[name] for name in self.identity if name in self.data}
        return posted | {name: self.cleaned_data.get(name) for name in self.setting_names}

    @property
    def limits(self) -> Mapping[str, int | None]:
        """The limits of the speed; None if the field was left empty."""
        return {name: self.cleaned_data.get(name) for name in LIMITS}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The new secrets by setting name."""
        entered = {name: self.cleaned_data.get(name) or "" for name in self.secret_names}
        return {name: value for name, value in entered.items() if value.strip()}

    @property
    def removed(self) -> list[str]:
        """Names of the secrets to delete."""
        return [name for name in self.secret_names if self.cleaned_data.get(_removal(name))]


def _removal(name: str) -> str:
    return f"{name}__remove"


class IdentityForm(PlainTexts, forms.Form):
    """Where a connection leads, all its secrets again, and what happens to its links."""

    def __init__(
        self,
        manifest: Manifest,
        *args: Any,
        secrets_set: Collection[str],
        linked: Sequence[tuple[RecordType, int]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.setting_names = [setting.name for setting in manifest.identity]
        self.secret_names = [
            setting.name for setting in manifest.settings if setting.kind == SettingKind.SECRET
        ]
        for setting in manifest.identity:
            self.fields[setting.name] = setting_form_field(setting)
        for setting in manifest.settings:
            if setting.kind == SettingKind.SECRET:
                # Not required by the form: the service says which are needed, and why.
                state = AGAIN if setting.name in secrets_set else NOT_SET
                self.fields[setting.name] = secret_form_field(setting, state)
        # Only a person knows whether the new address has the same books.
        if linked:
            self.fields["books"] = _books_field(linked)

    def clean(self) -> dict[str, object]:
        """Redact the typed secrets in the log from now on."""
        hide(self.secrets.values())
        return self.cleaned_data

    @property
    def config(self) -> Mapping[str, object]:
        """The identity settings."""
        return {name: self.cleaned_data.get(name) for name in self.setting_names}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The typed secrets by setting name; empty if not typed."""
        return {name: self.cleaned_data.get(name) or "" for name in self.secret_names}

    @property
    def books(self) -> Books | None:
        """The choice about the links; None if nothing is linked."""
        choice = self.cleaned_data.get("books")
        return Books(choice) if choice else None


def _books_field(linked: Sequence[tuple[RecordType, int]]) -> forms.Field:
    count = in_words(linked)
    return forms.ChoiceField(
        label="What it connects to",
        widget=forms.RadioSelect,
        choices=[
            (Books.SAME, f"The same books under a new address: the links of {count} stay"),
            (Books.OTHER, f"Other books: the links of {count} end"),
        ],
        error_messages={"required": f"Choose whether the links of {count} stay or end."},
        help_text="The ERP keeps its records either way. Once a link has ended, the record here "
        "counts as not in the ERP, and can be sent again or linked there.",
    )
