"""The page that asks before something is deleted, and deletes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib import messages
from django.db.models import Model
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from erpbridge.access.scoping import ScopedRequest
from erpbridge.refusals import Refused
from erpbridge.ui.confirmation.second_click import ended_already


def ask_then_delete(
    request: ScopedRequest,
    found: Model,
    *,
    word: str,
    refusal: str | None,
    what: Sequence[str],
    delete: Callable[[], object],
    back: str,
) -> HttpResponseBase:
    """Delete on POST; before, say what goes, or why it cannot.

    :param word: what it is called, such as ``cost type``.
    :param refusal: why it cannot be deleted; the deletion itself may still be refused.
    :param back: where to go afterwards.
    """
    if request.method == "POST":
        try:
            delete()
        except Refused as refused:
            if not type(found)._base_manager.filter(pk=found.pk).exists():
                return ended_already(request, f"{found} was deleted already.", back=back)
            messages.error(request, f"{found} was not deleted. {refused}")
        else:
            messages.success(request, f"Deleted the {word} {found}.")
        return redirect(back)
    if refusal:
        messages.error(request, f"{found} cannot be deleted. {refusal}")
        return redirect(back)
    context = {
        "question": f"Delete {word.title()}?",
        "what": what,
        "confirm": "Delete",
        "danger": True,
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)
