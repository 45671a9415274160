"""Forms of what an approver decides; the pages and the API validate by them."""

from __future__ import annotations

from django import forms
from django.core.validators import ProhibitNullCharactersValidator

from erpbridge.ui.forms import PlainTexts

LONGEST_REASON = 1_000


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
