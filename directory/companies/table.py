"""The list of companies: filters, tabs and rows, for the account and for each project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models.expressions import Combinable
from django.http import QueryDict

from directory.company_fields.countries import HOME
from directory.models import Company, Trade
from directory.models.querysets import CompanyQuerySet, may_see_inactive
from directory.scoped_urls import Links
from erp_integrations import sendable
from erpbridge.access.policy import Access
from erpbridge.db.numbers import number
from erpbridge.ui import page_params
from erpbridge.ui.listing import Page, Token, list_page
from erpbridge.ui.navigation import Tab
from erpbridge.ui.row_urls import url_of

STATUSES = {"active": "Active", "inactive": "Inactive", "all": "Active and inactive"}
BADGES = dict(sendable.BADGE_CHOICES)
SORTS: dict[str, str | Combinable] = {
    "name": "sort_name",
    "city": "city_key",
    "erp": "erp_state",
}


@dataclass(frozen=True)
class Filters:
    """The filters in use; each is empty or valid. Unknown values are ignored."""

    status: str
    erp: str
    trade: Trade | None

    @classmethod
    def read(cls, params: Mapping[str, str], *, access: Access) -> Filters:
        """Read the filters from the query string."""
        status, erp = params.get("status", ""), params.get("erp", "")
        trade = number(params.get("trade", ""))
        # A link with a status may come from a person with more rights.
        valid_status = may_see_inactive(access) and status in STATUSES
        return cls(
            status=status if valid_status else "active",
            erp=erp if erp in BADGES else "",
            trade=access.account.trades.filter(pk=trade).first() if trade else None,
        )

    def are_all_of(self, params: Mapping[str, str]) -> bool:
        """True if every requested filter is valid."""
        # An unknown value is read as no filter, which differs from what the query string says.
        filters = {
            "status": self.status,
            "erp": self.erp,
            "trade": str(self.trade and self.trade.pk),
        }
        return all(params.get(name, "") in ("", value) for name, value in filters.items())

    def apply(self, companies: CompanyQuerySet) -> CompanyQuerySet:
        """The companies that match all filters."""
        if self.status != "all":
            companies = companies.filter(is_active=self.status == "active")
        if self.erp:
            companies = companies.filter(sendable.badge_filter(self.erp))
        return companies.in_trade(self.trade.pk) if self.trade else companies

    def tokens(self, page: Page[Company]) -> list[Token]:
        """A token for the search and for each filter in use."""
        tokens = []
        if page.search:
            tokens.append(page.token("q", f"Search: {page.search}"))
        if self.status != "active":
            tokens.append(page.token("status", f"Status: {STATUSES[self.status]}"))
        if self.erp:
            tokens.append(page.token("erp", f"ERP status: {BADGES[self.erp]}"))
        if self.trade:
            tokens.append(page.token("trade", f"Trade: {self.trade}"))
        return tokens


@dataclass(frozen=True)
class Row:
    """A company as shown in the list; a locked one cannot be edited."""

    company: Company
    badge: sendable.Badge
    href: str
    edit_href: str
    trades: str
    is_locked: bool

    @property
    def has_contact(self) -> bool:
        """True if the contact column is not empty."""
        company = self.company
        return bool(company.email_address or company.business_phone or company.fax_number)

    @property
    def address(self) -> list[str]:
        """The lines of the address that are not empty."""
        company = self.company
        town = ", ".join(
            part for part in (company.city, f"{company.state_code} {company.zip}".strip()) if part
        )
        country = company.country_code if company.country_code != HOME else ""
        return [line for line in (company.address, town, country) if line]


@dataclass(frozen=True)
class Listing:
    """Everything that the list's template shows."""

    page: Page[Company]
    filters: Filters
    rows: list[Row]
    tokens: list[Token]
    tabs: list[Tab]
    trades: list[Trade]
    none_at_all: bool


def matching(access: Access, params: QueryDict) -> CompanyQuerySet:
    """The companies that "all that match" means: all pages of the list.

    Empty if a filter is not valid any more, because otherwise more would match than were shown.
    """
    filters = Filters.read(params, access=access)
    if not filters.are_all_of(params):
        return Company.objects.none()
    companies = filters.apply(Company.objects.visible_to(access))
    words = page_params.words(params)
    return companies.search(words) if words else companies


def listing(access: Access, params: QueryDict) -> Listing:
    """One page of the list."""
    filters = Filters.read(params, access=access)
    visible = Company.objects.visible_to(access)
    page = list_page(
        filters.apply(visible).prefetch_related("trades"),
        params,
        sorts=SORTS,
        search=lambda companies, words: companies.search(words),  # type: ignore[attr-defined]
    )
    tokens = filters.tokens(page)
    links = Links(access)
    href = url_of(lambda company_id: links.to("company", company_id))
    edit_href = url_of(lambda company_id: links.to("company_edit", company_id))
    return Listing(
        page=page,
        filters=filters,
        rows=[_row(company, href(company.pk), edit_href(company.pk)) for company in page.rows],
        tokens=tokens,
        tabs=_tabs(filters, access=access),
        trades=list(access.account.trades.order_by("name_key")),
        none_at_all=not page.rows and not tokens,
    )


def _row(company: Company, href: str, edit_href: str) -> Row:
    return Row(
        company,
        sendable.badge(company),
        href,
        edit_href,
        # Sorted here: ``order_by()`` would ignore what was prefetched, and query for every row.
        ", ".join(sorted(trade.name for trade in company.trades.all())),
        sendable.is_locked(company),
    )


def _tabs(filters: Filters, *, access: Access) -> list[Tab]:
    home = Links(access).to("companies")
    inactive = filters.status == "inactive"
    tabs = [Tab("Companies", home, current=not inactive)]
    if may_see_inactive(access):
        tabs.append(Tab("Inactive Companies", f"{home}?status=inactive", current=inactive))
    return tabs
