"""A second click on what ends something: it lands where the first one did, and is told so."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from erpbridge.access.scoping import ScopedRequest
from erpbridge.audit.models import Event
from erpbridge.ui.times import shown


def deletion(request: ScopedRequest, entity: str, pk: int, **data: Any) -> Event:
    """How something of the account was deleted that is asked for once more.

    :param data: what the event has to hold, for what belongs to a part of the account.
    :raises Http404: for what the account has not deleted, or never had.
    """
    events = Event.objects.about(request.access.account.pk, entity, pk).filter(verb="deleted")
    event = events.filter(**{f"data__{name}": value for name, value in data.items()}).first()
    if event is None:
        raise Http404
    return event


def deleted_already(request: HttpRequest, event: Event, *, back: str) -> HttpResponse:
    """Who did it and when, on the page where the first click led to."""
    return ended_already(
        request,
        f"{event.label} was deleted already, by {event.actor} on {shown(event.at)}.",
        back=back,
    )


def ended_already(request: HttpRequest, words: str, *, back: str) -> HttpResponse:
    """The same for what leaves no row of its own."""
    messages.info(request, words)
    return redirect(back)
