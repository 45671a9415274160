"""The access policy: may this person do this here, and if not, why.

Views, the API and templates ask only :func:`can` (or :meth:`Access.can` when the access is already
loaded for a request). An action is a key of :data:`RULES`; an unknown key is a programming error
and raises ``KeyError``. The rules are described in docs/design/permissions.md, "Who does what" and
"Where the sources are silent".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from erpbridge.access.levels import Level, Tool
from erpbridge.access.models import Account, Membership, Project, ProjectMembership, User
from erpbridge.access.permissions import Permission


@dataclass(frozen=True)
class Answer:
    """Yes, or no with a reason that can be shown to the person."""

    allowed: bool
    why: str = ""

    def __bool__(self) -> bool:
        return self.allowed


YES = Answer(True)


@dataclass(frozen=True)
class Scope:
    """Where an action takes place: an account, or one project of it."""

    account: Account
    project: Project | None = None


@dataclass
class Access:
    """One person in one scope, with the levels held there; loaded once per request."""

    user: User
    scope: Scope
    membership: Membership
    project_membership: ProjectMembership | None = None
    # Cached, because a page asks the same questions for many rows.
    _answers: dict[tuple[str, str], Answer] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """The account of the scope."""
        return self.scope.account

    @property
    def project(self) -> Project | None:
        """The project of the scope, if it is one."""
        return self.scope.project

    def account_level(self, tool: Tool) -> Level:
        """Return the level in the account's own tool."""
        return self.membership.level(tool)

    def level(self, tool: Tool) -> Level:
        """Return the level in the scope's tool.

        Admin on the account's Directory is Admin everywhere.
        """
        if self.scope.project is None or self.membership.directory == Level.ADMIN:
            return self.account_level(tool)
        # A level in the account says nothing about its projects, except Admin on its Directory.
        return self.project_membership.level(tool) if self.project_membership else Level.NONE

    @cached_property
    def may_edit_companies(self) -> bool:
        """Whether the person is Directory Admin, or has a lower level and the granular right."""
        level = self.level(Tool.DIRECTORY)
        if level == Level.ADMIN:
            return True
        # The right adds to the level of its own scope only.
        holder = self.project_membership if self.scope.project else self.membership
        return level > Level.NONE and holder is not None and holder.create_edit_companies

    @cached_property
    def erp_rights(self) -> dict[str, tuple[bool, bool]]:
        """(can import, can export) per record type."""
        rights = self.membership.erp_rights.all()
        return {right.entity: (right.can_import, right.can_export) for right in rights}

    def can(self, action: Permission, entity: str = "") -> Answer:
        """Whether the person may do ``action`` here; some actions depend on the record type."""
        key = (action, entity)
        if key not in self._answers:
            self._answers[key] = RULES[action](self, entity)
        return self._answers[key]


Rule = Callable[[Access, str], Answer]


def _at_least(tool: Tool, level: Level) -> Rule:
    def rule(access: Access, _entity: str) -> Answer:
        if access.level(tool) >= level:
            return YES
        where = "this project's" if access.project else "the account's"
        return Answer(False, f"Needs {level.label} on {where} {tool.label} tool.")

    return rule


def _in_account(tool: Tool, level: Level) -> Rule:
    """Require the level in the account's own tool, whatever the levels in a project are."""

    def rule(access: Access, _entity: str) -> Answer:
        directory_admin = access.account_level(Tool.DIRECTORY) == Level.ADMIN
        if directory_admin or access.account_level(tool) >= level:
            return YES
        return Answer(False, f"Needs {level.label} on the account's {tool.label} tool.")

    return rule


def _any_tool(access: Access, _entity: str) -> Answer:
    """Require Read Only or more on one of the account's own tools."""
    if any(access.account_level(tool) for tool in Tool):
        return YES
    return Answer(False, "Needs Read Only or more on one of the account's tools.")


def _account_admin(access: Access, _entity: str) -> Answer:
    if access.account_level(Tool.DIRECTORY) == Level.ADMIN:
        return YES
    return Answer(False, "Needs Admin on the account's Directory tool.")


def _edit_companies(access: Access, _entity: str) -> Answer:
    if access.may_edit_companies:
        return YES
    return Answer(False, "Needs Admin on Directory, or the right Create and Edit Companies.")


def _grant_approver(access: Access, entity: str) -> Answer:
    """Require Directory Admin in the account and the privilege that is passed on."""
    answer = _account_admin(access, entity)
    # Otherwise an Admin could give themselves what a second person has to decide.
    if not answer or access.membership.can_push_to_accounting:
        return answer
    return Answer(False, "Only somebody who can push to accounting may grant it.")


def _retrieve(access: Access, _entity: str) -> Answer:
    """Require Admin on Directory here, or Admin on the account's ERP Integrations."""
    if Level.ADMIN in (access.level(Tool.DIRECTORY), access.account_level(Tool.ERP_INTEGRATIONS)):
        return YES
    return Answer(False, "Needs Admin on the Directory tool or on ERP Integrations.")


def _retrieve_codes(access: Access, entity: str) -> Answer:
    """Require Admin on the account's Admin tool or on its ERP Integrations."""
    if access.account_level(Tool.ERP_INTEGRATIONS) == Level.ADMIN:
        return YES
    return _in_account(Tool.ADMIN, Level.ADMIN)(access, entity)


def _assign_types(access: Access, entity: str) -> Answer:
    """Require Standard on the account's ERP Integrations, or Admin on its Admin tool."""
    if access.account_level(Tool.ERP_INTEGRATIONS) >= Level.STANDARD:
        return YES
    if _in_account(Tool.ADMIN, Level.ADMIN)(access, entity):
        return YES
    return Answer(
        False, "Needs Standard on the account's ERP Integrations tool, or Admin on its Admin tool."
    )


def _decide(direction: int, verb: str) -> Rule:
    # ``direction`` is an index into the pair (can import, can export).
    def rule(access: Access, entity: str) -> Answer:
        # No level accepts anything without the flag: docs/design/permissions.md, "Who does what".
        if not access.membership.can_push_to_accounting:
            return Answer(False, "Needs the approver's flag Can push to accounting.")
        level = access.level(Tool.ERP_INTEGRATIONS)
        if level < Level.STANDARD:
            return Answer(False, "Needs Standard or Admin on ERP Integrations.")
        if level == Level.ADMIN or access.erp_rights.get(entity, (False, False))[direction]:
            return YES
        return Answer(False, f"Your approver rights do not include {verb} for this record type.")

    return rule


# Keep in line with docs/design/permissions.md, "Who does what".
RULES: dict[Permission, Rule] = {
    Permission.PEOPLE_VIEW: _at_least(Tool.DIRECTORY, Level.READ_ONLY),
    Permission.PEOPLE_MANAGE: _account_admin,
    Permission.PEOPLE_GRANT_APPROVER: _grant_approver,
    Permission.ACCOUNT_CONFIGURE: _account_admin,
    Permission.SETTINGS_VIEW: _any_tool,
    Permission.APPLICATIONS_MANAGE: _account_admin,
    Permission.PROJECTS_CREATE: _account_admin,
    Permission.PROJECT_CONFIGURE: _at_least(Tool.ADMIN, Level.ADMIN),
    Permission.COMPANIES_VIEW: _at_least(Tool.DIRECTORY, Level.READ_ONLY),
    Permission.COMPANIES_VIEW_INACTIVE: _at_least(Tool.DIRECTORY, Level.ADMIN),
    Permission.COMPANIES_EDIT: _edit_companies,
    Permission.COMPANIES_IMPORT: _edit_companies,
    Permission.COMPANIES_REACTIVATE: _at_least(Tool.DIRECTORY, Level.ADMIN),
    Permission.COMPANIES_SEND: _at_least(Tool.DIRECTORY, Level.ADMIN),
    Permission.COMPANIES_RETRIEVE: _retrieve,
    Permission.CODES_VIEW: _in_account(Tool.ADMIN, Level.READ_ONLY),
    Permission.CODES_EDIT: _in_account(Tool.ADMIN, Level.ADMIN),
    Permission.CODES_SEND: _in_account(Tool.ADMIN, Level.ADMIN),
    Permission.CODES_RETRIEVE: _retrieve_codes,
    Permission.CODES_ASSIGN_TYPES: _assign_types,
    Permission.CODES_UNLINK: _account_admin,
    Permission.CODES_REFRESH_PROJECTS: _account_admin,
    Permission.PROJECT_CODES_VIEW: _at_least(Tool.ADMIN, Level.READ_ONLY),
    Permission.PROJECT_CODES_EDIT: _at_least(Tool.ADMIN, Level.ADMIN),
    Permission.PROJECT_WBS_VIEW: _at_least(Tool.ADMIN, Level.READ_ONLY),
    Permission.PROJECT_WBS_EDIT: _at_least(Tool.ADMIN, Level.ADMIN),
    Permission.ITEMS_VIEW: _at_least(Tool.ERP_INTEGRATIONS, Level.READ_ONLY),
    Permission.ITEMS_ACCEPT: _decide(1, "exporting"),
    Permission.ITEMS_IMPORT: _decide(0, "importing"),
    Permission.CONNECTION_VIEW: _in_account(Tool.ERP_INTEGRATIONS, Level.READ_ONLY),
    Permission.CONNECTION_CONFIGURE: _in_account(Tool.ERP_INTEGRATIONS, Level.ADMIN),
    Permission.LINKS_UNLINK: _at_least(Tool.ERP_INTEGRATIONS, Level.ADMIN),
}


def load(user: User, account: Account, project: Project | None = None) -> Access | None:
    """Return the access of ``user`` in a scope, or None without an active, confirmed membership."""
    membership = (
        Membership.objects.active().filter(user=user, account=account).select_related("user")
    ).first()
    if membership is None:
        return None
    in_project = membership.projects.filter(project=project).first() if project else None
    return Access(user, Scope(account, project), membership, in_project)


def can(user: User, action: Permission, scope: Scope, entity: str = "") -> Answer:
    """Whether ``user`` may do ``action`` in ``scope``, with the reason if not."""
    access = load(user, scope.account, scope.project)
    if access is None:
        return Answer(False, "You are not a member of this account.")
    return access.can(action, entity)
