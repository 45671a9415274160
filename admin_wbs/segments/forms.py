"""Forms of segments and their items. They check values; the rules are in services."""

from __future__ import annotations

from typing import Any

from django import forms

from admin_wbs.models import Segment, SegmentItem
from erpbridge.ui.forms import PlainTexts


class SegmentForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]
    """Name and switches of a custom segment; for a new one also flat or tiered."""

    tiered = forms.TypedChoiceField(
        label="Structure",
        choices=[("0", "Flat: a plain list"), ("1", "Tiered: a tree of up to five tiers")],
        coerce=lambda text: text == "1",
        initial="0",
        widget=forms.RadioSelect,
        help_text="Cannot be changed later.",
    )

    class Meta:
        model = Segment
        fields = ("name", "project_items", "project_deletes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # docs/design/work-breakdown-structure.md, "Segments and budget codes".
        if self.instance.pk:
            del self.fields["tiered"]
        self.fields["name"].widget.attrs["autofocus"] = True


class ItemForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]
    """Code and description of an item."""

    class Meta:
        model = SegmentItem
        fields = ("code", "description")
