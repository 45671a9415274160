"""Send to ERP and Retrieve for the codes of a list: all of them, or the chosen ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.db import transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import Stale
from admin_wbs.models import CodeList, CostCode
from erp_integrations import sendable
from erp_integrations.sendable import Done, ListButton, Problem
from erpbridge.access.policy import Access
from erpbridge.db.batches import chunks


def button(code_list: CodeList, access: Access, *, seen: int | None = None) -> ListButton | None:
    """The ERP button of a list; None for a list that does not belong to an ERP.

    :param seen: the list revision of a page that is still open.
    """
    if not code_list.is_erp:
        return None
    # Without inactive codes, which are never sent and would be refused one by one.
    sending = sendable.list_button(
        list_services.CODE, access, code_list.codes.filter(is_active=True)
    )
    reasons = list(sending.reasons)
    if seen is not None and seen != code_list.revision:
        advice = "Reload the page, review the list, then send."
        # First, because the other reasons may be gone once the page is read again.
        reasons.insert(0, Problem("revision", "stale", f"{changed_since(code_list)} {advice}"))
    why = list_services.read_only(code_list)
    # The engine's own words for an ERP that owns its records say more than the list's.
    if why and not any(problem.rule == "erp_owns" for problem in reasons):
        reasons = [Problem("list", "read_only", why)]
    return replace(sending, reasons=tuple(reasons), enabled=sending.enabled and not reasons)


def send(
    code_list: CodeList,
    *,
    access: Access,
    seen: int,
    ids: Iterable[int] | None = None,
    note: str = "",
) -> Done:
    """Submit codes to accounting: all unsent ones, or the chosen ones with their unsent ancestors.

    If there are more than one click takes, the first in tree order are sent, so parents come first.

    :param seen: the list revision of the page that was clicked.
    :param note: a message from the sender to accounting.
    :raises ValidationError: for a note that is too long.
    :raises Stale: if the list was changed since.
    """
    revisions = _chosen(code_list, seen, ids)
    return sendable.send(
        list_services.CODE, list(revisions), access=access, seen=revisions, note=note
    )


@transaction.atomic
def _chosen(code_list: CodeList, seen: int, ids: Iterable[int] | None) -> dict[int, int]:
    """Ids and revisions of the codes to send; a code edited after this counts as changed.

    :raises Stale: if the list was changed since.
    """
    # Under the lock, so that the revisions are those of the list that the person saw.
    stored = list_services.lock(code_list.pk)
    if stored.revision != seen:
        raise Stale(changed_since(stored))
    if ids is None:
        connected = sendable.connected(stored.account_id, list_services.CODE)
        unsent = stored.codes.to_send(updates=connected is not None and connected.updates)
        ordered = unsent.order_by("sort_path").values_list("pk", "revision")
        return dict(ordered[: settings.ERPBRIDGE_MOST_ROWS_A_CLICK])
    chosen = _with_parents(stored, ids)
    parts = (CostCode.objects.filter(pk__in=batch) for batch in chunks(sorted(chosen)))
    return {pk: revision for rows in parts for pk, revision in rows.values_list("pk", "revision")}


def retrieve(code_list: CodeList, *, access: Access, ids: Iterable[int] | None = None) -> Done:
    """Take waiting codes back from accounting: all of them, or the chosen ones.

    Waiting codes under a retrieved one come back with it, because the ERP would not take them
    alone.
    """
    waiting = code_list.codes.waiting()
    if ids is None:
        chosen = set(waiting.values_list("pk", flat=True))
    else:
        chosen = set(ids)
        for code in CostCode.objects.filter(list=code_list, pk__in=sorted(chosen)):
            chosen.update(waiting.under(code).values_list("pk", flat=True))
    return sendable.retrieve(list_services.CODE, sorted(chosen), access=access)


def _with_parents(code_list: CodeList, ids: Iterable[int]) -> list[int]:
    """The chosen codes and those above them that are neither sent nor in the ERP."""
    chosen = set(ids)
    tier = chosen
    while tier:
        parents: set[int] = set()
        tier_ids = sorted(tier)
        for chunk in chunks(tier_ids):
            rows = code_list.codes.filter(pk__in=chunk)
            parents.update(rows.exclude(parent=None).values_list("parent_id", flat=True))
        # Not the parents that the ERP has and that were changed since: a child needs no new parent.
        missing = code_list.codes.filter(sendable.unsent(updates=False), pk__in=parents)
        tier = set(missing.values_list("pk", flat=True)) - chosen
        chosen |= tier
    return sorted(chosen)


def changed_since(code_list: CodeList) -> str:
    """The message of a stale page."""
    who = f" by {code_list.changed_by}" if code_list.changed_by else ""
    return f"The list was changed{who} since you opened the page."
