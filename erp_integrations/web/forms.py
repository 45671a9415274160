"""Forms of the ERP Integrations pages: acceptance fields, default rules and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator

from erp_integrations.adapters.base import AcceptanceField, EntityManifest, RuleKind
from erp_integrations.models import Connection, Item
from erp_integrations.workflow.accept.decision_forms import LONGEST_REASON, ReasonForm
from erp_integrations.workflow.accept.field_choices import Offers
from erpbridge.ui.forms import PlainTexts

# Above this number of rows there is one reason for all: nobody types so many.
MOST_REASONS = 50


def acceptance_form_field(field: AcceptanceField, offers: Offers) -> forms.Field:
    """Return the form field of an acceptance field; its rules are checked when accepting."""
    if field.choices:
        choices = [("", f"Choose {field.label.lower()}"), *offers.of(field.name).items()]
        return forms.ChoiceField(
            label=field.label, choices=choices, required=field.required, help_text=field.help
        )
    # 200 is the limit of stored values if the adapter declares none.
    most = next((rule.limit for rule in field.rules if rule.kind == RuleKind.MAX_LENGTH), 200)
    # No max_length: with it, a browser silently cuts what is pasted.
    return forms.CharField(
        label=field.label,
        required=field.required,
        help_text=field.help,
        validators=[MaxLengthValidator(most)],
    )


class AcceptanceForm(PlainTexts, forms.Form):
    """The acceptance fields of one item."""

    def __init__(
        self, manifest: EntityManifest, connection: Connection, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offers = Offers(connection, manifest)
        for field in manifest.acceptance_fields:
            self.fields[field.name] = acceptance_form_field(field, offers)


class CommonValuesForm(PlainTexts, forms.Form):
    """The acceptance fields that many items can share: those with a list of the ERP.

    None is required, since a row may have its own value.
    """

    def __init__(
        self, manifest: EntityManifest, connection: Connection, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offers = Offers(connection, manifest)
        for field in manifest.acceptance_fields:
            if field.choices:
                self.fields[field.name] = acceptance_form_field(field, offers)
                self.fields[field.name].required = False


class DefaultRuleForm(PlainTexts, forms.Form):
    """A default rule: the value of a field for records whose code begins with a text."""

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
        choices = [(field.name, field.label) for field in manifest.acceptance_fields]
        self.fields["field"].choices = choices
        # Suggestions of the chosen field; without JavaScript, of all fields.
        self.fields["value"].widget.attrs |= {"list": "choices-every", "data-list-of": "id_field"}


class UnlinkForm(ReasonForm):
    """Why a record is unlinked from the ERP's record."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = (
            "It stays in the history of the record. Say why the two do not belong together."
        )


class UseAnywayForm(ReasonForm):
    """How a person knows that the ERP's record is the right one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason = self.fields["reason"]
        reason.label = "How do you know?"
        reason.help_text = "It stays in the history of the record."


class WithdrawForm(ReasonForm):
    """Why an accepted item is withdrawn from the export."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "reason"
        ].help_text = "It stays in the history of the item, for whoever decides about it next."


class RejectForm(ReasonForm):
    """Reasons for rejecting items: one for all, and optionally one for each.

    If items under them wait too, these can be rejected along with them.
    """

    template_name = "erp/parts/reject_form.html"

    def __init__(
        self, items: Sequence[Item], below: Sequence[Item], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        # A single item needs no reason of its own beside the common one.
        self.own = {
            f"reason-{item.pk}": item.pk for item in items if 1 < len(items) <= MOST_REASONS
        }
        if below:
            self.fields["below"] = forms.BooleanField(
                label=f"Reject what is under them and waits too ({len(below):,})",
                required=False,
                initial=True,
                help_text="Without it, these wait until the code above them is in the ERP.",
            )
        labels = {item.pk: item.label for item in items}
        # In the order of names, as people look for them.
        for name, pk in sorted(self.own.items(), key=lambda pair: labels[pair[1]]):
            self.fields[name] = forms.CharField(
                label=f"Another reason for {labels[pk]}",
                max_length=LONGEST_REASON,
                required=False,
                validators=[ProhibitNullCharactersValidator()],
            )

    @property
    def shared_fields(self) -> list[forms.BoundField]:
        """The fields that apply to all items."""
        return [self[name] for name in self.fields if name not in self.own]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """The reasons of single items."""
        return [self[name] for name in self.fields if name in self.own]

    @property
    def shows_own(self) -> bool:
        """Whether one of these has a value or an error, so that the page shows them opened."""
        return any(field.value() or field.errors for field in self.own_fields)

    @property
    def reasons(self) -> dict[int, str]:
        """Item id -> its own reason, for items that have one."""
        entered = {pk: self.cleaned_data.get(name, "") for name, pk in self.own.items()}
        return {pk: reason for pk, reason in entered.items() if reason}
