"""Forms of ERP Integrations: acceptance fields, reasons, answers, connection settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.utils.html import conditional_escape

from erp_integrations.adapters.base import AcceptanceField, EntityManifest, Manifest, Setting
from erp_integrations.connection_settings import LIMITS
from erp_integrations.models import Connection, Item
from erp_integrations.models.connections import IN_FLIGHT, RATES, USUAL_IN_FLIGHT
from erp_integrations.offers import Offers
from erp_integrations.secrets import LONGEST_SECRET
from erpbridge.ui.forms import PlainTexts
from erpbridge.ui.redaction import hide

LONGEST_REASON = 1_000
# More rows than this are rejected for one reason; typing more is nobody's way.
MOST_REASONS = 50


def acceptance_form_field(one: AcceptanceField, offers: Offers) -> forms.Field:
    """The form field of one acceptance field; its rules are checked when accepting."""
    if one.choices:
        offered = [("", f"Choose {one.label.lower()}"), *offers.of(one.name).items()]
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


class AcceptanceForm(PlainTexts, forms.Form):
    """What the adapter asks of the approver, for one item or for many at once."""

    def __init__(
        self, manifest: EntityManifest, connection: Connection, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offers = Offers(connection, manifest)
        for one in manifest.acceptance_fields:
            self.fields[one.name] = acceptance_form_field(one, offers)


class CommonValuesForm(PlainTexts, forms.Form):
    """The acceptance fields that many items can share: those picked from a list of the ERP.

    None is required here: a row may have its own.
    """

    def __init__(
        self, manifest: EntityManifest, connection: Connection, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offers = Offers(connection, manifest)
        for one in manifest.acceptance_fields:
            if one.choices:
                self.fields[one.name] = acceptance_form_field(one, offers)
                self.fields[one.name].required = False


class DefaultRuleForm(PlainTexts, forms.Form):
    """A default rule: which value records get whose code begins so."""

    field = forms.ChoiceField(label="Field")
    starts_with = forms.CharField(
        label="Code begins with",
        max_length=50,
        required=False,
        help_text="Such as 03. Empty: every code. Of several rules the longest beginning decides.",
    )
    value = forms.CharField(label="Value", max_length=200)

    def __init__(self, manifest: EntityManifest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = [(one.name, one.label) for one in manifest.acceptance_fields]
        self.fields["field"].choices = asked
        # The list of the field that is chosen; without a script, of every field.
        self.fields["value"].widget.attrs |= {"list": "choices-every", "data-list-of": "id_field"}


class ReasonForm(PlainTexts, forms.Form):
    """Why something is handed back; the sender reads it."""

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The sender sees it. Say what has to change.",
        validators=[ProhibitNullCharactersValidator()],
    )


class UnlinkForm(ReasonForm):
    """Why a record is no longer the ERP's record that it was linked to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = (
            "It stays in the history of the record. Say why the two do not belong together."
        )


class WithdrawForm(ReasonForm):
    """Why an accepted item is not to go to the ERP now."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = "It stays in the history of the item, for whoever decides about it next."


class RejectForm(ReasonForm):
    """Why items are handed back: one reason for all, and one of its own for each that has one.

    Where something under them waits too, that can be taken along.
    """

    template_name = "erp/parts/reject_form.html"

    def __init__(
        self, items: Sequence[Item], below: Sequence[Item], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.own = {f"reason-{one.pk}": one.pk for one in items if 1 < len(items) <= MOST_REASONS}
        if below:
            self.fields["below"] = forms.BooleanField(
                label=f"Reject what is under them and waits too ({len(below):,})",
                required=False,
                initial=True,
                help_text="Without it, these wait until the code above them is in the ERP.",
            )
        labels = {one.pk: one.label for one in items}
        for name, pk in sorted(self.own.items(), key=lambda pair: labels[pair[1]]):
            self.fields[name] = forms.CharField(
                label=f"Another reason for {labels[pk]}",
                max_length=LONGEST_REASON,
                required=False,
                validators=[ProhibitNullCharactersValidator()],
            )

    @property
    def shared_fields(self) -> list[forms.BoundField]:
        """What is said of all of them."""
        return [self[name] for name in self.fields if name not in self.own]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """What is said of one alone."""
        return [self[name] for name in self.fields if name in self.own]

    @property
    def shows_own(self) -> bool:
        """Whether one of these was filled in, or is wrong."""
        return any(field.value() or field.errors for field in self.own_fields)

    @property
    def reasons(self) -> dict[int, str]:
        """Item id -> its own reason."""
        given = {pk: self.cleaned_data.get(name, "") for name, pk in self.own.items()}
        return {pk: reason for pk, reason in given.items() if reason}


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
    """Name, settings and limits of a connection; ``secrets_set`` are the names of those it has."""

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
        self.fields.update(limit_form_fields(manifest))

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
