"""The table of a list: the children of a code, or the search results in the whole list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, Q
from django.http import QueryDict
from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import MOST_TIERS
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from admin_wbs.tree import rendering
from erp_integrations import sendable
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.numbers import number
from erpbridge.ui import page_params
from erpbridge.ui.listing import Page, Token, list_page
from erpbridge.ui.row_urls import page_url

STATUSES = {"active": "Active", "inactive": "Inactive"}
BADGES = dict(sendable.BADGE_CHOICES)
# Badges that need action from the sender.
CAME_BACK = ("rejected", "failed", "needs_answer")
SORTS = {"code": "sort_path"}


@dataclass(frozen=True)
class Filters:
    """The filters in use; each is empty or valid. Unknown values are ignored."""

    status: str
    erp: str

    @classmethod
    def read(cls, params: QueryDict) -> Filters:
        """Read the filters from the query string."""
        status, erp = params.get("status", ""), params.get("erp", "")
        return cls(status if status in STATUSES else "", erp if erp in BADGES else "")

    def are_all_of(self, params: QueryDict) -> bool:
        """True if every requested filter is valid."""
        # An unknown value is read as no filter, which differs from what the query string says.
        filters = {"status": self.status, "erp": self.erp}
        return all(params.get(name, "") in ("", value) for name, value in filters.items())

    def apply(self, codes: CostCodeQuerySet) -> CostCodeQuerySet:
        """The codes that match the filters."""
        if self.status:
            codes = codes.filter(is_active=self.status == "active")
        return codes.filter(sendable.badge_filter(self.erp)) if self.erp else codes

    def tokens(self, page: Page[CostCode]) -> list[Token]:
        """A token for the search and for each filter in use."""
        tokens = []
        if page.search:
            tokens.append(page.token("q", f"Search: {page.search}"))
        if self.status:
            tokens.append(page.token("status", STATUSES[self.status]))
        if self.erp:
            tokens.append(page.token("erp", f"ERP status: {BADGES[self.erp]}"))
        return tokens


@dataclass(frozen=True)
class Row:
    """A code as shown in the table. ``above``: shown only as an ancestor of other rows."""

    code: CostCode
    href: str
    is_group: bool
    above: bool = False
    lock: sendable.Lock | None = None
    reason: str = ""

    @cached_property
    def badge(self) -> sendable.Badge:
        """The ERP badge of the code."""
        return sendable.badge(self.code)


@dataclass(frozen=True)
class Listing:
    """Everything that the page shows of the codes."""

    code_list: CodeList
    at: CostCode | None
    page: Page[CostCode]
    rows: Sequence[Row]
    filters: Filters
    tokens: Sequence[Token]
    open_all: bool

    @property
    def looking(self) -> bool:
        """True if a search or filter applies to the whole list."""
        return bool(self.tokens)

    @cached_property
    def line(self) -> list[CostCode]:
        """The codes from the first tier down to the selected one."""
        return [*rendering.ancestors([self.at]), self.at] if self.at else []

    @cached_property
    def expanded(self) -> rendering.Expanded | None:
        """The expanded tree, as far as it fits, if the person asked for it."""
        return rendering.expanded(self.code_list, self.at) if self.open_all else None

    @property
    def tree(self) -> rendering.Branch:
        """The tree at the left."""
        return self.expanded.root if self.expanded else rendering.opened_at(self.code_list, self.at)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """See :func:`numbers_of`."""
        return numbers_of(self.code_list)


def numbers_of(code_list: CodeList) -> dict[str, int]:
    """Counts of a list's codes: all, active ones that the ERP does not have, and returned ones.

    Returned codes are counted by badge, because a person can filter by badge.
    """
    unsynced = Q(origin_id="", is_active=True)
    # One query for all numbers, as no join is needed for a badge.
    back = {key: Count("pk", filter=sendable.badge_filter(key)) for key in CAME_BACK}
    counts: dict[str, int] = code_list.codes.aggregate(
        total=Count("pk"), unsynced=Count("pk", filter=unsynced), **back
    )
    return counts


def why_no_code(code_list: CodeList, at: CostCode | None) -> str | None:
    """Why no code can be added under the selected one; None if one can."""
    if why := list_services.read_only(code_list):
        return why
    if at is not None and at.depth + 1 >= MOST_TIERS:
        return f"{at.full_code} is of the last of {MOST_TIERS} tiers, so no code goes under it."
    if at is not None and not at.is_active:
        return f"{at.full_code} is inactive. Reactivate it before adding codes under it."
    return None


def matching(code_list: CodeList, params: QueryDict) -> CostCodeQuerySet:
    """The codes that "all that match" means: those on every page of the table.

    Empty if a filter is not valid any more, because otherwise more codes would match than were
    shown.
    """
    filters = Filters.read(params)
    if not filters.are_all_of(params):
        return CostCode.objects.none()
    codes = _shown(code_list, params, filters=filters, at=selected(code_list, params))
    words = page_params.words(params)
    return codes.search(words) if words else codes


def selected(code_list: CodeList, params: QueryDict) -> CostCode | None:
    """The code that the page shows; None for the root, or if the code was deleted."""
    code_id = number(params.get("at", ""))
    return code_list.codes.filter(pk=code_id).first() if code_id else None


def listing(code_list: CodeList, params: QueryDict) -> Listing:
    """One page of codes. The number of queries depends on the tiers, not on the codes."""
    filters, at = Filters.read(params), selected(code_list, params)
    page = list_page(
        _shown(code_list, params, filters=filters, at=at).with_groups(),
        params,
        sorts=SORTS,
        search=lambda codes, words: codes.search(words),  # type: ignore[attr-defined]
    )
    tokens = filters.tokens(page)
    return Listing(
        code_list=code_list,
        at=at,
        page=page,
        rows=_rows(page.rows, parents=bool(tokens)),
        filters=filters,
        tokens=tokens,
        open_all=params.get("open") == "all",
    )


def row_of(code: CostCode) -> Row:
    """The current row of one code."""
    reasons = sendable.reasons(list_services.CODE, code.account_id, [code])
    lock = _locks([code]).get(code.pk)
    href = reverse("admin_wbs:code", args=[code.account_id, code.pk])
    return Row(code, href, code.children.exists(), lock=lock, reason=reasons.get(code.pk, ""))


def may(access: Access, code_list: CodeList) -> dict[str, bool]:
    """What the person can do with the codes of a list."""
    open_for_change = not list_services.read_only(code_list)
    # A list that awaits its ERP has nobody to send to yet.
    of_connection = code_list.is_erp and not code_list.awaits_erp
    return {
        "edit": open_for_change and bool(access.can(Permission.CODES_EDIT)),
        "send": of_connection and open_for_change and bool(access.can(Permission.CODES_SEND)),
        # Also of a list that can only be read: codes that wait must not stay locked there.
        "retrieve": of_connection and bool(access.can(Permission.CODES_RETRIEVE)),
    }


def _shown(
    code_list: CodeList, params: QueryDict, *, filters: Filters, at: CostCode | None
) -> CostCodeQuerySet:
    """All codes of the list for a search or filter, otherwise the children of ``at``."""
    codes = filters.apply(CostCode.objects.filter(list=code_list))
    if filters.status or filters.erp or page_params.words(params):
        return codes
    return codes.filter(parent=at)


def _rows(codes: Sequence[CostCode], *, parents: bool) -> list[Row]:
    locks = _locks(codes)
    account_id = codes[0].account_id if codes else 0
    reasons = sendable.reasons(list_services.CODE, account_id, codes)
    href = page_url("admin_wbs:code", account_id)
    rows = [
        Row(
            code,
            href(code.pk),
            bool(getattr(code, "is_group", False)),
            lock=locks.get(code.pk),
            reason=reasons.get(code.pk, ""),
        )
        for code in codes
    ]
    if not parents:
        return rows
    # A search result is read with the codes above it; those that match themselves are rows already.
    shown_ids = {code.pk for code in codes}
    above = [code for code in rendering.ancestors(codes) if code.pk not in shown_ids]
    rows += [Row(code, href(code.pk), is_group=True, above=True) for code in above]
    # The page came in this order, the codes above it have to be put in.
    return sorted(rows, key=lambda row: row.code.sort_path)


def _locks(codes: Sequence[CostCode]) -> dict[int, sendable.Lock]:
    """The locks of the locked codes."""
    return sendable.locks(list_services.CODE, [code for code in codes if sendable.is_locked(code)])
