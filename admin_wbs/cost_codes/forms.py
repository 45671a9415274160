"""The forms of lists and codes. They check values; the rules are in the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from admin_wbs.models import CodeList
from admin_wbs.models.full_code import LONGEST_CODE, LONGEST_DESCRIPTION
from erpbridge.ui import page_params
from erpbridge.ui.forms import PlainTexts

LOCKED_NAME = "The list of a connected ERP keeps its name."


class ListForm(PlainTexts, forms.Form):
    """Name and settings of a list."""

    name = forms.CharField(label="Name", max_length=150)
    for_new_projects = forms.BooleanField(
        label="Available for use on new projects", required=False, initial=True
    )

    def __init__(self, *args: Any, found: CodeList | None = None, **kwargs: Any) -> None:
        if found is not None:
            kwargs["initial"] = {
                "name": found.name,
                "for_new_projects": found.for_new_projects,
            }
        super().__init__(*args, **kwargs)
        if found is not None and found.connection_id:
            self.fields["name"].disabled = True
            self.fields["name"].help_text = LOCKED_NAME


class CodeForm(PlainTexts, forms.Form):
    """A code of a list. ``prefix`` of the ids keeps several on one page apart."""

    code = forms.CharField(label="Code", max_length=LONGEST_CODE)
    description = forms.CharField(label="Description", max_length=LONGEST_DESCRIPTION)

    def __init__(self, *args: Any, locked: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if locked:
            self.fields["code"].disabled = True
            self.fields["code"].help_text = f"The code cannot be changed. {locked}"

    @property
    def typed(self) -> dict[str, str]:
        """The values as they were typed, also where they are not valid."""
        return {name: str(self[name].value() or "") for name in self.fields}


def typed_form(posted: QueryDict | None = None) -> CodeForm:
    """The form of a code that is one of several rows typed one after the other."""
    return CodeForm(posted, auto_id=f"{page_params.typed_row(posted or QueryDict())}_%s")
