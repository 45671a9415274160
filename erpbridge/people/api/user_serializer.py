"""Serializers of users (docs/design/procore-rest-resources.md, "Users").

Users have Procore's fields; the levels per tool replace Procore's permission templates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from erpbridge.access.form_digest import levels_of
from erpbridge.access.levels import Level, Tool, ToolLevels
from erpbridge.access.models import Membership, Project, ProjectMembership
from erpbridge.db.among import among
from erpbridge.rest.pagination import Shape

# Procore's fields that have no equivalent here; they are null.
ABSENT = (
    *("address", "avatar", "business_id", "business_phone", "business_phone_extension", "city"),
    *("contact_id", "country_code", "email_signature", "employee_id", "fax_number", "initials"),
    *("last_activated_at", "last_login_at", "mobile_phone", "notes", "state_code", "zip"),
    *("welcome_email_sent_at", "work_classification_id", "party_id", "permission_template"),
    *("company_permission_template", "vendor"),
)
EXTENDED: dict[str, object] = {
    "default_permission_template_id": None,
    "company_permission_template_id": None,
    "locale": None,
    "is_insurance_manager": False,
    "add_to_new_projects": False,
}
Rows = dict[int, dict[str, object]]


def user(member: Membership) -> dict[str, object]:
    """Return the fields of a user without levels, which depend on the scope."""
    login = member.user
    first, last = names_of(login.name)
    return dict.fromkeys(ABSENT) | {
        # The login's id, as in ``/me``.
        "id": login.pk,
        "login": login.email,
        "name": login.name,
        "first_name": first,
        "last_name": last,
        "email_address": login.email,
        "job_title": member.job_title or None,
        "is_active": member.is_active and login.is_active,
        "is_employee": not login.is_service,
        "erp_integrated_accountant": member.can_push_to_accounting,
        "origin_id": member.origin_id or None,
        "origin_data": member.origin_data or None,
        "created_at": login.created_at,
        "updated_at": member.updated_at,
        "company_id": member.account_id,
    }


def names_of(name: str) -> tuple[str, str]:
    """Split a name into first and last name; the last word is the last name."""
    first, _space, last = name.rpartition(" ")
    return first, last


def shapes(project: Project | None) -> Mapping[str, Shape]:
    """Return the shapes for ``view=``, with the levels of the account or of one project."""

    def normal(pks: Sequence[int]) -> Rows:
        """Return the fields of a list."""
        levels_by_id = _project_levels(pks, project)
        members = Membership.objects.filter(among("pk", pks)).select_related("user")
        return {
            member.pk: user(member) | _levels(levels_by_id.get(member.pk, member))
            for member in members
        }

    def extended(pks: Sequence[int]) -> Rows:
        """Return all fields of a user."""
        return {pk: row | EXTENDED for pk, row in normal(pks).items()}

    return {"ids_only": ids_only, "compact": compact, "normal": normal, "extended": extended}


def ids_only(pks: Sequence[int]) -> dict[int, int]:
    """Return bare ids, as Procore does."""
    return dict(Membership.objects.filter(among("pk", pks)).values_list("pk", "user"))


def compact(pks: Sequence[int]) -> Rows:
    """Return the fields that a selection list needs."""
    rows = Membership.objects.filter(among("pk", pks)).values_list("pk", "user", "user__name")
    return {
        pk: {"id": user_id, "name": name}
        | dict(zip(("first_name", "last_name"), names_of(name), strict=True))
        for pk, user_id, name in rows
    }


def _project_levels(pks: Sequence[int], project: Project | None) -> dict[int, ToolLevels]:
    """Return the levels in the project by membership; empty without a project."""
    if project is None:
        return {}
    rows = ProjectMembership.objects.filter(among("membership_id", pks), project=project)
    return {row.membership_id: row for row in rows}


def _levels(holder: ToolLevels) -> dict[str, object]:
    """Return the levels as stored. Admin on Directory does not change the other tools here."""
    stored = levels_of(holder)
    return {
        "permission_levels": {tool.value: Level(stored[tool.value]).label for tool in Tool},
        "create_edit_companies": stored["create_edit_companies"],
    }
