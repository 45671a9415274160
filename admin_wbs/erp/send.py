"""Send to ERP and Retrieve for the codes of a list: all that can be, or the chosen ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.db import transaction

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import Stale
from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.node import BATCH, batches
from erp_integrations import sendable
from erp_integrations.sendable import Done, ListButton, Problem
from erpbridge.access.policy import Access


def button(found: CodeList, access: Access, *, seen: int | None = None) -> ListButton | None:
    """The ERP button of a list; None for a list that belongs to no ERP.

    :param seen: the revision of the list on a page that is still open.
    """
    if not found.is_erp:
        return None
    shown = sendable.list_button(list_services.CODE, access, found.codes.filter(is_active=True))
    reasons = list(shown.reasons)
    if seen is not None and seen != found.revision:
        advice = "Reload it, look at the list as it is, then send."
        reasons.insert(0, Problem("revision", "stale", f"{changed_since(found)} {advice}"))
    why = list_services.read_only(found)
    if why and not any(problem.rule == "erp_owns" for problem in reasons):
        reasons = [Problem("list", "read_only", why)]
    return replace(shown, reasons=tuple(reasons), enabled=shown.enabled and not reasons)


def send(
    found: CodeList,
    *,
    access: Access,
    seen: int,
    ids: Iterable[int] | None = None,
    note: str = "",
) -> Done:
    """Put codes in front of accounting: every unsent one, or the chosen and what is above them.

    Of more than a click takes, the first in the order of the tree, in which parents come first.

    :param seen: the revision of the list on the page that was clicked.
    :param note: what the sender says to whoever decides.
    :raises ValidationError: for a note that is too long.
    :raises Stale: when the list was changed since.
    """
    revisions = _chosen(found, seen, ids)
    return sendable.send(
        list_services.CODE, list(revisions), access=access, seen=revisions, note=note
    )


@transaction.atomic
def _chosen(found: CodeList, seen: int, ids: Iterable[int] | None) -> dict[int, int]:
    """The codes to send, with their revisions: who edits one from now on edits what was not sent.

    :raises Stale: when the list was changed since.
    """
    stored = list_services.lock(found.pk)
    if stored.revision != seen:
        raise Stale(changed_since(stored))
    if ids is None:
        connected = sendable.connected(stored.account_id, list_services.CODE)
        unsent = stored.codes.to_send(updates=connected is not None and connected.updates)
        ordered = unsent.order_by("sort_path").values_list("pk", "revision")
        return dict(ordered[: settings.ERPBRIDGE_MOST_ROWS_A_CLICK])
    chosen = _with_parents(stored, ids)
    rows = (CostCode.objects.filter(pk__in=some) for some in batches(chosen))
    return {pk: revision for some in rows for pk, revision in some.values_list("pk", "revision")}


def retrieve(found: CodeList, *, access: Access, ids: Iterable[int] | None = None) -> Done:
    """Take waiting codes back from accounting: all, or the chosen ones that wait.

    Codes below a retrieved one come back with it, for the ERP would not take them without it.
    """
    waiting = found.codes.waiting()
    if ids is None:
        chosen = set(waiting.values_list("pk", flat=True))
    else:
        chosen = set(ids)
        for code in CostCode.objects.filter(list=found, pk__in=sorted(chosen)):
            chosen.update(waiting.under(code).values_list("pk", flat=True))
    return sendable.retrieve(list_services.CODE, sorted(chosen), access=access)


def _with_parents(found: CodeList, ids: Iterable[int]) -> list[int]:
    """The chosen codes and those above them that the ERP does not have and nobody has sent."""
    chosen = set(ids)
    tier = chosen
    while tier:
        parents: set[int] = set()
        wanted = sorted(tier)
        for start in range(0, len(wanted), BATCH):
            rows = found.codes.filter(pk__in=wanted[start : start + BATCH])
            parents.update(rows.exclude(parent=None).values_list("parent_id", flat=True))
        missing = found.codes.filter(sendable.unsent(updates=False), pk__in=parents)
        tier = set(missing.values_list("pk", flat=True)) - chosen
        chosen |= tier
    return sorted(chosen)


def changed_since(found: CodeList) -> str:
    """What a page that has gone stale is told."""
    who = f" by {found.changed_by}" if found.changed_by else ""
    return f"The list was changed{who} since you opened the page."
