"""The page of a list: the codes right under one, or what was searched for in the whole list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, Q
from django.http import QueryDict

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import MOST_TIERS
from admin_wbs.models.querysets.cost_codes import CostCodeQuerySet
from admin_wbs.tree import rendering
from erp_integrations import sendable
from erpbridge.access.policy import Access
from erpbridge.db.numbers import number
from erpbridge.ui import page_params
from erpbridge.ui.listing import Page, Token, list_page

STATUSES = {"active": "Active", "inactive": "Inactive"}
BADGES = dict(sendable.BADGE_CHOICES)
# Markers that somebody has to do something about.
CAME_BACK = ("rejected", "failed", "needs_answer")
SORTS = {"code": "sort_path"}


@dataclass(frozen=True)
class Filters:
    """The filters in force, each empty or one that exists; what nobody knows is ignored."""

    status: str
    erp: str

    @classmethod
    def read(cls, params: QueryDict) -> Filters:
        """From the query string of the page."""
        status, erp = params.get("status", ""), params.get("erp", "")
        return cls(status if status in STATUSES else "", erp if erp in BADGES else "")

    def are_all_of(self, params: QueryDict) -> bool:
        """Whether every filter that was asked for is in force."""
        given = {"status": self.status, "erp": self.erp}
        return all(params.get(name, "") in ("", value) for name, value in given.items())

    def apply(self, codes: CostCodeQuerySet) -> CostCodeQuerySet:
        """Those that pass."""
        if self.status:
            codes = codes.filter(is_active=self.status == "active")
        return codes.filter(sendable.badge_filter(self.erp)) if self.erp else codes

    def tokens(self, page: Page[CostCode]) -> list[Token]:
        """One token for each filter and the search in force."""
        found = []
        if page.search:
            found.append(page.token("q", f"Search: {page.search}"))
        if self.status:
            found.append(page.token("status", STATUSES[self.status]))
        if self.erp:
            found.append(page.token("erp", f"ERP status: {BADGES[self.erp]}"))
        return found


@dataclass(frozen=True)
class Row:
    """A code as the table shows it; ``above``: only there to keep the parents in sight."""

    code: CostCode
    is_group: bool
    above: bool = False
    lock: sendable.Lock | None = None
    reason: str = ""

    @property
    def badge(self) -> sendable.Badge:
        """Its ERP status."""
        return sendable.badge(self.code)


@dataclass(frozen=True)
class Listing:
    """Everything the page shows of the codes."""

    found: CodeList
    at: CostCode | None
    page: Page[CostCode]
    rows: Sequence[Row]
    filters: Filters
    tokens: Sequence[Token]
    open_all: bool

    @property
    def looking(self) -> bool:
        """Whether search or filters go through the whole list."""
        return bool(self.tokens)

    @cached_property
    def line(self) -> list[CostCode]:
        """The codes from the first tier down to the selected one."""
        return [*rendering.ancestors([self.at]), self.at] if self.at else []

    @cached_property
    def expanded(self) -> rendering.Expanded | None:
        """The tree opened as far as it fits, where that was asked for."""
        return rendering.expanded(self.found, self.at) if self.open_all else None

    @property
    def tree(self) -> rendering.Branch:
        """The tree at the left."""
        return self.expanded.root if self.expanded else rendering.opened_at(self.found, self.at)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """See :func:`numbers_of`."""
        return numbers_of(self.found)


def numbers_of(found: CodeList) -> dict[str, int]:
    """How many codes a list has, how many of the active ones the ERP has not, and how many came
    back from it, by what a person can filter for.
    """
    unsynced = Q(origin_id="", is_active=True)
    back = {key: Count("pk", filter=sendable.badge_filter(key)) for key in CAME_BACK}
    counts: dict[str, int] = found.codes.aggregate(
        total=Count("pk"), unsynced=Count("pk", filter=unsynced), **back
    )
    return counts


def why_no_code(found: CodeList, at: CostCode | None) -> str:
    """Why no code can be added under the selected one; empty where it can."""
    if why := list_services.read_only(found):
        return why
    if at is not None and at.depth + 1 >= MOST_TIERS:
        return f"{at.full_code} is of the last of {MOST_TIERS} tiers, so no code goes under it."
    if at is not None and not at.is_active:
        return f"{at.full_code} is inactive. Reactivate it before adding codes under it."
    return ""


def matching(found: CodeList, params: QueryDict) -> CostCodeQuerySet:
    """What "all that match" means: the codes of every page of the table.

    None where a filter is no longer known, for without it more would match than was shown.
    """
    filters = Filters.read(params)
    if not filters.are_all_of(params):
        return CostCode.objects.none()
    codes = _shown(found, params, filters=filters, at=selected(found, params))
    words = page_params.words(params)
    return codes.search(words) if words else codes


def selected(found: CodeList, params: QueryDict) -> CostCode | None:
    """The code that the page stands at; None for the root, and for one that has gone."""
    wanted = number(params.get("at", ""))
    return found.codes.filter(pk=wanted).first() if wanted else None


def listing(found: CodeList, params: QueryDict) -> Listing:
    """One page; a number of queries that depends on the tiers and not on the codes."""
    filters, at = Filters.read(params), selected(found, params)
    page = list_page(
        _shown(found, params, filters=filters, at=at).with_groups(),
        params,
        sorts=SORTS,
        search=lambda codes, words: codes.search(words),  # type: ignore[attr-defined]
    )
    tokens = filters.tokens(page)
    return Listing(
        found=found,
        at=at,
        page=page,
        rows=_rows(page.rows, parents=bool(tokens)),
        filters=filters,
        tokens=tokens,
        open_all=params.get("open") == "all",
    )


def row_of(code: CostCode) -> Row:
    """One row of the table, as it is now."""
    reasons = sendable.reasons(list_services.CODE, code.account_id, [code])
    lock = _locks([code]).get(code.pk)
    return Row(code, code.children.exists(), lock=lock, reason=reasons.get(code.pk, ""))


def may(access: Access, found: CodeList) -> dict[str, bool]:
    """What the person can do with the codes of a list."""
    open_for_change = not list_services.read_only(found)
    of_connection = found.is_erp and not found.awaits_erp
    return {
        "edit": open_for_change and bool(access.can("codes.edit")),
        "send": of_connection and open_for_change and bool(access.can("codes.send")),
        "retrieve": of_connection and bool(access.can("codes.retrieve")),
    }


def _shown(
    found: CodeList, params: QueryDict, *, filters: Filters, at: CostCode | None
) -> CostCodeQuerySet:
    """The whole list for a search or filter, otherwise the codes right under the selected one."""
    codes = filters.apply(CostCode.objects.filter(list=found))
    if filters.status or filters.erp or page_params.words(params):
        return codes
    return codes.filter(parent=at)


def _rows(codes: Sequence[CostCode], *, parents: bool) -> list[Row]:
    locks = _locks(codes)
    account_id = codes[0].account_id if codes else 0
    reasons = sendable.reasons(list_services.CODE, account_id, codes)
    rows = [
        Row(
            code,
            bool(getattr(code, "is_group", False)),
            lock=locks.get(code.pk),
            reason=reasons.get(code.pk, ""),
        )
        for code in codes
    ]
    if not parents:
        return rows
    there = {code.pk for code in codes}
    above = [code for code in rendering.ancestors(codes) if code.pk not in there]
    rows += [Row(code, is_group=True, above=True) for code in above]
    return sorted(rows, key=lambda row: row.code.sort_path)


def _locks(codes: Sequence[CostCode]) -> dict[int, sendable.Lock]:
    """Who sent those that are locked."""
    return sendable.locks(list_services.CODE, [code for code in codes if sendable.is_locked(code)])
