"""What people may be allowed to do: the names of the policy's rules."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One rule of :data:`erpbridge.access.policy.RULES`."""

    PEOPLE_VIEW = "people.view"
    PEOPLE_MANAGE = "people.manage"
    PEOPLE_GRANT_APPROVER = "people.grant_approver"
    ACCOUNT_CONFIGURE = "account.configure"
    SETTINGS_VIEW = "settings.view"
    APPLICATIONS_MANAGE = "applications.manage"
    PROJECTS_CREATE = "projects.create"
    PROJECT_CONFIGURE = "project.configure"
    COMPANIES_VIEW = "companies.view"
    COMPANIES_VIEW_INACTIVE = "companies.view_inactive"
    COMPANIES_EDIT = "companies.edit"
    COMPANIES_IMPORT = "companies.import"
    COMPANIES_REACTIVATE = "companies.reactivate"
    COMPANIES_SEND = "companies.send"
    COMPANIES_RETRIEVE = "companies.retrieve"
    CODES_VIEW = "codes.view"
    CODES_EDIT = "codes.edit"
    CODES_SEND = "codes.send"
    CODES_RETRIEVE = "codes.retrieve"
    CODES_ASSIGN_TYPES = "codes.assign_types"
    CODES_UNLINK = "codes.unlink"
    CODES_REFRESH_PROJECTS = "codes.refresh_projects"
    PROJECT_CODES_VIEW = "project_codes.view"
    PROJECT_CODES_EDIT = "project_codes.edit"
    PROJECT_WBS_VIEW = "project_wbs.view"
    PROJECT_WBS_EDIT = "project_wbs.edit"
    ITEMS_VIEW = "items.view"
    ITEMS_ACCEPT = "items.accept"
    ITEMS_IMPORT = "items.import"
    CONNECTION_VIEW = "connection.view"
    CONNECTION_CONFIGURE = "connection.configure"
    LINKS_UNLINK = "links.unlink"
