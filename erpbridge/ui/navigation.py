"""Navigation of all pages: the current scope, and the tools that the person may open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from erpbridge.access.models import Account, Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access, Scope
from erpbridge.ui.waiting import Waiting, waiting

# With more entries, the switcher becomes a link to a page with a search.
MOST_IN_SWITCHER = 50


@dataclass(frozen=True)
class Tool:
    """A tool in the menu; ``action`` is the required policy rule, None for every member."""

    label: str
    icon: str
    url_name: str
    action: Permission | None = None


@dataclass(frozen=True)
class Setting:
    """An entry of Company Settings on the Admin page; ``action`` is the required policy rule."""

    label: str
    text: str
    icon: str
    url_name: str
    action: Permission


@dataclass(frozen=True)
class Link:
    """A tool that the person can open in the current scope, and what waits for them there."""

    label: str
    icon: str
    href: str
    url_name: str
    current: bool = False
    waiting: Waiting | None = None


@dataclass(frozen=True)
class Tab:
    """One tab below a tool's title; ``count`` is text, because it may be capped ("1,000+")."""

    label: str
    href: str
    current: bool = False
    count: str = ""


ACCOUNT_TOOLS = (
    Tool(
        "Directory", "building-office-2", "directory:account_companies", Permission.COMPANIES_VIEW
    ),
    Tool("Admin", "adjustments-horizontal", "access:admin", Permission.SETTINGS_VIEW),
    Tool("Work Breakdown Structure", "queue-list", "admin_wbs:segments", Permission.CODES_VIEW),
    Tool("ERP Integrations", "arrows-right-left", "erp:companies", Permission.ITEMS_VIEW),
    Tool("Projects", "briefcase", "access:projects"),
    Tool("People", "users", "access:people", Permission.PEOPLE_VIEW),
    Tool("API access", "key", "oauth:applications", Permission.APPLICATIONS_MANAGE),
    Tool(
        "Account settings", "cog-6-tooth", "access:account_settings", Permission.ACCOUNT_CONFIGURE
    ),
)
COMPANY_SETTINGS = (
    Setting(
        "Work Breakdown Structure",
        "Segments, cost code lists and their way into the ERP, the structure of budget codes.",
        "queue-list",
        "admin_wbs:segments",
        Permission.CODES_VIEW,
    ),
    Setting(
        "Cost types",
        "Labor, materials and the like, which a budget code names beside its cost code.",
        "tag",
        "admin_wbs:cost_types",
        Permission.CODES_VIEW,
    ),
    Setting(
        "Directory settings",
        "Which fields a company must have where a program asks for the check.",
        "building-office-2",
        "directory:settings",
        Permission.ACCOUNT_CONFIGURE,
    ),
    Setting(
        "People and permissions",
        "Who belongs to the account, with which levels, and who approves for accounting.",
        "users",
        "access:people",
        Permission.PEOPLE_VIEW,
    ),
    Setting(
        "ERP connection",
        "The accounting system behind this account: its test, its data, its limits.",
        "arrows-right-left",
        "erp:connection",
        Permission.CONNECTION_VIEW,
    ),
    Setting(
        "API access",
        "Applications and service accounts of programs.",
        "key",
        "oauth:applications",
        Permission.APPLICATIONS_MANAGE,
    ),
    Setting(
        "Account",
        "Its name, and whether senders may accept their own items.",
        "cog-6-tooth",
        "access:account_settings",
        Permission.ACCOUNT_CONFIGURE,
    ),
)
PROJECT_TOOLS = (
    Tool(
        "Directory", "building-office-2", "directory:project_companies", Permission.COMPANIES_VIEW
    ),
    Tool(
        "Work Breakdown Structure",
        "queue-list",
        "admin_wbs:project_wbs",
        Permission.PROJECT_WBS_VIEW,
    ),
    Tool("ERP Integrations", "arrows-right-left", "erp:project_companies", Permission.ITEMS_VIEW),
    Tool(
        "Project settings", "cog-6-tooth", "access:project_settings", Permission.PROJECT_CONFIGURE
    ),
)


def tools(access: Access, *, request: HttpRequest | None = None) -> list[Link]:
    """Return the tools that the person may open in the scope of ``access``, in menu order."""
    offered = PROJECT_TOOLS if access.project else ACCOUNT_TOOLS
    return [
        _link(tool, access, request)
        for tool in offered
        if not tool.action or access.can(tool.action)
    ]


def company_settings(access: Access) -> list[tuple[Setting, str]]:
    """Return the account's settings that the person may open, each with its URL."""
    return [
        (setting, reverse(setting.url_name, args=[access.account.pk]))
        for setting in COMPANY_SETTINGS
        if access.can(setting.action)
    ]


def _link(tool: Tool, access: Access, request: HttpRequest | None) -> Link:
    url_kwargs = {"account_id": access.account.pk}
    if access.project:
        url_kwargs["project_id"] = access.project.pk
    href = reverse(tool.url_name, kwargs=url_kwargs)
    current = _is_current(tool, href, access, request)
    return Link(tool.label, tool.icon, href, tool.url_name, current, waiting(tool.url_name, access))


def _is_current(tool: Tool, href: str, access: Access, request: HttpRequest | None) -> bool:
    """Whether the page belongs to the tool. A namespace is one tool, except ``access``."""
    match = request.resolver_match if request else None
    # The menu has both scopes, whose tools share their namespaces.
    if request is None or match is None or ("project_id" in match.kwargs) != bool(access.project):
        return False
    namespace = tool.url_name.partition(":")[0]
    # Several tools are in ``access``, and only their addresses tell them apart.
    return request.path.startswith(href) if namespace == "access" else match.namespace == namespace


class Frame:
    """The context of base.html around a page; queries only what is rendered."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        user = getattr(request, "user", None)
        self.person = user if user is not None and user.is_authenticated else None
        self.access: Access | None = getattr(request, "access", None)
        self.demo = settings.MODE == "demo"

    @property
    def account(self) -> Account | None:
        """The account of the page, or None."""
        return self.access.account if self.access else None

    @property
    def project(self) -> Project | None:
        """The project of the page, or None."""
        return self.access.project if self.access else None

    @cached_property
    def accounts(self) -> list[Account]:
        """The person's accounts, at most one more than the switcher shows."""
        if self.person is None:
            return []
        visible = Account.objects.visible_to(self.person)
        return list(visible.order_by("name", "pk")[: MOST_IN_SWITCHER + 1])

    @cached_property
    def projects(self) -> list[Project]:
        """The account's active projects that the person can see, limited like the accounts."""
        if self.access is None:
            return []
        visible = Project.objects.visible_to(self.access.membership).filter(is_active=True)
        return list(visible.order_by("number", "name", "pk")[: MOST_IN_SWITCHER + 1])

    @property
    def many_accounts(self) -> bool:
        """Whether there are too many accounts for a switcher."""
        return len(self.accounts) > MOST_IN_SWITCHER

    @property
    def many_projects(self) -> bool:
        """Whether there are too many projects for a switcher."""
        return len(self.projects) > MOST_IN_SWITCHER

    @property
    def projects_href(self) -> str:
        """The page that lists projects; empty if it is not in the menu."""
        hrefs = (link.href for link in self.account_tools if link.url_name == "access:projects")
        return next(hrefs, "")

    @cached_property
    def account_tools(self) -> list[Link]:
        """The account's tools, also on a page of a project."""
        if self.access is None:
            return []
        scope = Scope(self.access.account)
        # With the levels in the account, which may be others than those in the project.
        account_access = Access(self.access.user, scope, self.access.membership)
        return tools(account_access, request=self.request)

    @cached_property
    def project_tools(self) -> list[Link]:
        """The project's tools; empty outside a project."""
        if self.access is None or self.access.project is None:
            return []
        return tools(self.access, request=self.request)

    @property
    def waiting(self) -> Waiting | None:
        """What waits for the person in the account, for the closed menu."""
        return next((link.waiting for link in self.account_tools if link.waiting), None)

    @property
    def current_tool(self) -> Link | None:
        """The tool of the page."""
        everything = [*self.project_tools, *self.account_tools]
        return next((link for link in everything if link.current), None)


def frame(request: HttpRequest) -> dict[str, Frame]:
    """Context processor: adds ``frame`` to every template."""
    return {"frame": Frame(request)}
