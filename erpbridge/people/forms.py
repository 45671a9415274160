"""Forms of people, projects and accounts. They validate values; the services have the rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.forms.boundfield import BoundField
from django.http import QueryDict

from erpbridge.access import zones
from erpbridge.access.form_digest import PERSON_FIELDS, rights_of
from erpbridge.access.levels import Level, Tool, ToolLevels
from erpbridge.access.models import Account, Membership, Project
from erpbridge.access.record_types import entity_choices
from erpbridge.access.services import accounts, projects
from erpbridge.access.services.people import Approver, Levels, Person
from erpbridge.ui.forms import PlainTexts


class LevelsForm(PlainTexts, forms.Form):
    """One level per tool, and the granular right."""

    create_edit_companies = forms.BooleanField(
        label="Create and Edit Companies",
        required=False,
        help_text=ToolLevels._meta.get_field("create_edit_companies").help_text,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for tool in Tool:
            self.fields[tool.value] = forms.TypedChoiceField(
                label=tool.label,
                choices=Level.choices,
                coerce=lambda value: Level(int(value)),
                initial=Level.NONE,
            )

    def levels(self) -> Levels:
        """Return the cleaned levels."""
        cleaned = self.cleaned_data
        return Levels(
            **{tool.value: cleaned[tool.value] for tool in Tool},
            create_edit_companies=cleaned["create_edit_companies"],
        )


class PersonForm(LevelsForm):
    """What an admin sets for a person of the account."""

    job_title = forms.CharField(label="Job title", max_length=100, required=False)
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        initial=True,
        help_text="Somebody inactive cannot enter this account; what they did stays recorded.",
    )

    def __init__(self, *args: Any, membership: Membership | None = None, **kwargs: Any) -> None:
        if membership is not None:
            kwargs["initial"] = {name: getattr(membership, name) for name in PERSON_FIELDS}
        super().__init__(*args, **kwargs)
        self.fields["directory"].help_text = (
            "Admin here is Admin in every tool of the account and of all its projects, "
            "and may manage people."
        )

    def person(self) -> Person:
        """Return the cleaned values."""
        return Person(**{name: self.cleaned_data[name] for name in PERSON_FIELDS})


class AddPersonForm(PersonForm):
    """A person to add, and their rights."""

    email = forms.EmailField(label="E-mail address", max_length=254)
    name = forms.CharField(
        label="Name",
        max_length=150,
        help_text="Used for a new login; somebody who logs in here already keeps their name.",
    )

    def __init__(self, posted: QueryDict | None) -> None:
        super().__init__(posted)
        del self.fields["is_active"]

    def person(self) -> Person:
        """Return the cleaned values; an added person is always active."""
        self.cleaned_data["is_active"] = True
        return super().person()


@dataclass(frozen=True)
class GridRow:
    """The two check boxes of one record type."""

    label: str
    can_import: BoundField
    can_export: BoundField


class ApproverForm(forms.Form):
    """The approver's privilege; its fields are disabled for people who may not grant it."""

    can_push_to_accounting = forms.BooleanField(
        label="Can push to accounting",
        required=False,
        help_text=Membership._meta.get_field("can_push_to_accounting").help_text,
    )

    def __init__(self, posted: QueryDict | None, *, membership: Membership, enabled: bool) -> None:
        self.membership = membership
        initial = {"can_push_to_accounting": membership.can_push_to_accounting}
        for entity, (can_import, can_export) in rights_of(membership).items():
            initial |= {f"import-{entity}": can_import, f"export-{entity}": can_export}
        super().__init__(posted, initial=initial, prefix="approver")
        for entity, label in entity_choices():
            self.fields[f"import-{entity}"] = _box(f"{label}: Can import")
            box = self.fields[f"export-{entity}"] = _box(f"{label}: Can export")
            # Ticking the flag ticks every record type, unless one is ticked already.
            box.widget.attrs["data-ticked-with"] = "id_approver-can_push_to_accounting"
        for field in self.fields.values():
            # A disabled field ignores what is posted and keeps the stored value.
            field.disabled = not enabled

    def grid(self) -> Iterator[GridRow]:
        """Yield a row per record type."""
        for entity, label in entity_choices():
            yield GridRow(label, self[f"import-{entity}"], self[f"export-{entity}"])

    def approver(self) -> Approver:
        """Return the cleaned values."""
        cleaned = self.cleaned_data
        rights = {
            entity: (cleaned[f"import-{entity}"], cleaned[f"export-{entity}"])
            for entity, _label in entity_choices()
        }
        flag = cleaned["can_push_to_accounting"]
        # The digest is not on this page, so it stays.
        return Approver(flag, self.membership.erp_digest, rights)


def _box(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False)


class ProjectLevelsForm(LevelsForm):
    """The levels of a person in one project: one row of the table."""

    def __init__(
        self, posted: QueryDict | None, *, project: Project, levels: dict[str, object]
    ) -> None:
        super().__init__(posted, prefix=f"project-{project.pk}", initial=levels)
        self.project = project
        for field in self.fields.values():
            # The table shows the label only in its heading, but each control needs an accessible
            # name.
            field.widget.attrs["aria-label"] = f"{field.label} on {project}"


class AccountSettingsForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]  # no class_getitem
    """The account's settings."""

    class Meta:
        model = Account
        fields = ("name", "senders_may_accept_own", "time_zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"] = forms.ChoiceField(
            label="Time zone",
            choices=zones.choices(f"That of this installation: {settings.TIME_ZONE}"),
            required=False,
            help_text="Pages show times in it to everybody who has chosen no other for themselves.",
        )

    def settings(self) -> accounts.Settings:
        """Return the cleaned values."""
        return accounts.Settings(**self.cleaned_data)


class ProjectForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]  # no class_getitem
    """A project's settings."""

    class Meta:
        model = Project
        fields = ("name", "number", "is_active", "use_with_erp")

    def settings(self) -> projects.Settings:
        """Return the cleaned values."""
        return projects.Settings(**self.cleaned_data)
