"""Forms of an approver's decisions. Both the pages and the API validate with them."""

from __future__ import annotations

from django import forms
from django.core.validators import ProhibitNullCharactersValidator

from erpbridge.ui.forms import PlainTexts

# Characters.
LONGEST_REASON = 1_000


class ReasonForm(PlainTexts, forms.Form):
    """The reason of a rejection, which the sender reads."""

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The sender sees it. Say what has to change.",
        validators=[ProhibitNullCharactersValidator()],
    )


class AnswerForm(PlainTexts, forms.Form):
    """The answer of a person who looked into the ERP."""

    # Required only for the answer "it is there".
    erp_id = forms.CharField(label="Its ID in the ERP", max_length=200, required=False)
    why = forms.CharField(label="How do you know?", max_length=LONGEST_REASON)
