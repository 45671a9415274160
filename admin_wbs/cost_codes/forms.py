"""Forms of lists and codes. They check values; the rules are in the services."""

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

    def __init__(self, *args: Any, code_list: CodeList | None = None, **kwargs: Any) -> None:
        if code_list is not None:
            kwargs["initial"] = {
                "name": code_list.name,
                "for_new_projects": code_list.for_new_projects,
            }
        super().__init__(*args, **kwargs)
        if code_list is not None and code_list.connection_id:
            # Also on the server: Django ignores what is posted for a disabled field.
            self.fields["name"].disabled = True
            self.fields["name"].help_text = LOCKED_NAME


class CodeForm(PlainTexts, forms.Form):
    """Code and description of a code of a list.

    :param locked: why the code cannot be changed; empty if it can.
    """

    code = forms.CharField(label="Code", max_length=LONGEST_CODE)
    description = forms.CharField(label="Description", max_length=LONGEST_DESCRIPTION)

    def __init__(self, *args: Any, locked: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if locked:
            self.fields["code"].disabled = True
            self.fields["code"].help_text = f"The code cannot be changed. {locked}"

    @property
    def typed(self) -> dict[str, str]:
        """The values as typed, even if they are invalid."""
        return {name: str(self[name].value() or "") for name in self.fields}


def typed_form(posted: QueryDict | None = None) -> CodeForm:
    """The form of a row in which codes are typed one after another."""
    return CodeForm(posted, auto_id=f"{page_params.typed_row(posted or QueryDict())}_%s")
