"""Forms of applications and service accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict

from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.numbers import number
from erpbridge.oauth.applications import MOST_REDIRECT_URIS, Service, checked_redirect_uri
from erpbridge.people.forms import LevelsForm
from erpbridge.ui.forms import PlainTexts

NAME_HELP = "What it is called in histories and on these pages."


class ApplicationForm(PlainTexts, forms.Form):
    """An API client that people allow to act for them."""

    name = forms.CharField(label="Name", max_length=100, help_text=NAME_HELP)
    redirect_uris = forms.CharField(
        label="Redirect URIs",
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One per line, as the program sends them: https://…, http://localhost:…, or "
        "urn:ietf:wg:oauth:2.0:oob for a program without an address to return to.",
    )

    def clean_redirect_uris(self) -> list[str]:
        """Return the validated URIs without duplicates."""
        lines = self.cleaned_data["redirect_uris"].splitlines()
        uris = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
        if len(uris) > MOST_REDIRECT_URIS:
            raise ValidationError(f"At most {MOST_REDIRECT_URIS}; there are {len(uris)}.")
        try:
            return [checked_redirect_uri(uri) for uri in uris]
        except ValidationError as error:
            raise ValidationError(error.messages) from None


class ProjectsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Projects by id; rejects ids beyond 64 bits, on which a database query would fail."""

    def clean(self, value: Sequence[str] | None) -> QuerySet[Project]:
        """Return the projects.

        :raises ValidationError: for an id that does not exist.
        """
        for pk in value or ():
            if pk.isdecimal() and not number(pk):
                raise ValidationError(
                    self.error_messages["invalid_choice"], "invalid_choice", {"value": pk}
                )
        return super().clean(value)


class ServiceForm(PlainTexts, forms.Form):
    """An API client that acts as itself."""

    name = forms.CharField(label="Name", max_length=100, help_text=NAME_HELP)
    projects = ProjectsField(
        label="Permitted projects",
        queryset=Project.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="With Admin on the account's Directory it may enter all of them anyway.",
    )
    can_push_to_accounting = forms.BooleanField(
        label="Can push to accounting",
        required=False,
        help_text="Lets it accept and reject, and link records to the ERP.",
    )

    def __init__(self, posted: QueryDict | None, *, access: Access) -> None:
        super().__init__(posted)
        self.levels = LevelsForm(posted, prefix="account")
        self.on_projects = LevelsForm(posted, prefix="projects")
        projects = Project.objects.filter(account=access.account).order_by("number", "name", "pk")
        self.fields["projects"].queryset = projects
        self.may_grant = access.can(Permission.PEOPLE_GRANT_APPROVER)
        if not self.may_grant:
            del self.fields["can_push_to_accounting"]

    def is_valid(self) -> bool:
        """Validate all three parts, so that all errors are shown at once."""
        # A list and not "and", which would stop at the first part with errors.
        parts = [super().is_valid(), self.levels.is_valid(), self.on_projects.is_valid()]
        return all(parts)

    def service(self) -> Service:
        """Return the cleaned values."""
        cleaned: dict[str, Any] = self.cleaned_data
        return Service(
            levels=self.levels.levels(),
            on_projects=self.on_projects.levels(),
            projects=list(cleaned["projects"]),
            can_push_to_accounting=cleaned.get("can_push_to_accounting", False),
        )
