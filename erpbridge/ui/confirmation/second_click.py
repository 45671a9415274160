"""Response to a second click on an action that is done: the first one's target, with a note."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from erpbridge.access.scoping import ScopedRequest
from erpbridge.audit.models import Event
from erpbridge.audit.services import Verb
from erpbridge.ui.times import format_time


def deletion(request: ScopedRequest, entity: str, pk: int, **data: object) -> Event:
    """Return the event of an earlier deletion.

    :param data: values that the event must have, for records of a part of the account.
    :raises Http404: when the account has not deleted such a record.
    """
    events = Event.objects.about(request.access.account.pk, entity, pk).filter(verb=Verb.DELETED)
    event = events.filter(**{f"data__{name}": value for name, value in data.items()}).first()
    if event is None:
        raise Http404
    return event


def deleted_already(request: HttpRequest, event: Event, *, back: str) -> HttpResponse:
    """Redirect, and say who deleted the record and when."""
    return ended_already(
        request,
        f"{event.label} was deleted already, by {event.actor} on {format_time(event.at)}.",
        back=back,
    )


def ended_already(request: HttpRequest, words: str, *, back: str) -> HttpResponse:
    """Redirect with the message ``words``, for actions without an event of their own."""
    messages.info(request, words)
    return redirect(back)
