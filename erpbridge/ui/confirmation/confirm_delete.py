"""Ask before a record is deleted, and delete it."""

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
    record: Model,
    *,
    word: str,
    refusal: str | None,
    what: Sequence[str],
    delete: Callable[[], object],
    back: str,
) -> HttpResponseBase:
    """Delete on POST; on GET ask, or say why the record cannot be deleted.

    :param word: the type of record, such as ``cost type``.
    :param refusal: why it cannot be deleted; the deletion itself may still be refused.
    :param back: where to redirect afterwards.
    """
    if request.method == "POST":
        try:
            delete()
        except Refused as refused:
            # Somebody else may have deleted it since the page was opened.
            if not type(record)._base_manager.filter(pk=record.pk).exists():
                return ended_already(request, f"{record} was deleted already.", back=back)
            messages.error(request, f"{record} was not deleted. {refused}")
        else:
            messages.success(request, f"Deleted the {word} {record}.")
        return redirect(back)
    if refusal:
        messages.error(request, f"{record} cannot be deleted. {refusal}")
        return redirect(back)
    context = {
        "question": f"Delete {word}?",
        "what": what,
        "confirm": "Delete",
        "danger": True,
        "cancel_href": back,
    }
    return render(request, "parts/confirm.html", context)
