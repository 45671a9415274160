"""Pages of the programs that act for a person: one's own, and for admins those of others."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from erpbridge.access.models import Account, User
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.oauth import programs
from erpbridge.people.account_views import GET_OR_POST
from erpbridge.people.person_views import frame_of, person_of_account
from erpbridge.ui.confirmation.second_click import ended_already


@require_safe
def own_programs(request: HttpRequest) -> HttpResponse:
    """List the programs that act for the signed-in person, in all accounts."""
    assert isinstance(request.user, User)
    context = {
        "programs": programs.acting_for(request.user),
        "end_all": reverse("oauth:own_programs_end"),
    }
    return render(request, "oauth/own_programs.html", context)


@require_http_methods(GET_OR_POST)
def own_programs_end(request: HttpRequest, application_id: int | None = None) -> HttpResponse:
    """Ask for confirmation, then end one program, or all."""
    assert isinstance(request.user, User)
    return _end(request, request.user, None, application_id, back=reverse("oauth:own_programs"))


@require_safe
@scoped(Permission.PEOPLE_MANAGE)
def person_programs(request: ScopedRequest, membership_id: int) -> HttpResponse:
    """List the account's programs that act for one of its people."""
    member = person_of_account(request, membership_id)
    context = {
        "programs": programs.acting_for(member.user, request.access.account),
        "end_all": reverse("oauth:person_programs_end", args=[member.account_id, member.pk]),
    }
    frame = frame_of(member, "oauth:person_programs")
    return render(request, "oauth/person_programs.html", context | frame)


@require_http_methods(GET_OR_POST)
@scoped(Permission.PEOPLE_MANAGE)
def person_programs_end(
    request: ScopedRequest, membership_id: int, application_id: int | None = None
) -> HttpResponse:
    """Ask for confirmation, then end one program, or all."""
    member = person_of_account(request, membership_id)
    back = reverse("oauth:person_programs", args=[member.account_id, member.pk])
    return _end(request, member.user, request.access.account, application_id, back=back)


def _end(
    request: HttpRequest,
    person: User,
    account: Account | None,
    application_id: int | None,
    *,
    back: str,
) -> HttpResponse:
    """End programs; ``account`` None means all accounts, ``application_id`` None all programs.

    :raises Http404: for a program that never acted for the person.
    """
    names = [
        program.application.name
        for program in programs.acting_for(person, account)
        if application_id in (None, program.application.pk)
    ]
    if not names:
        return _ended_already(request, person, account, application_id, back=back)
    if request.method != "POST":
        return _ask(request, names, "you" if person == request.user else str(person), back)
    programs.end(
        person.pk,
        by=request.user if isinstance(request.user, User) else None,
        account_id=account.pk if account else None,
        application_id=application_id,
    )
    messages.success(request, f"Ended: {', '.join(names)}.")
    return redirect(back)


def _ended_already(
    request: HttpRequest,
    person: User,
    account: Account | None,
    application_id: int | None,
    *,
    back: str,
) -> HttpResponse:
    """Say that the programs ended before.

    :raises Http404: for a program that never acted for the person.
    """
    if application_id is None:
        return ended_already(request, "No program has access any more.", back=back)
    name = programs.name_of_former(person, application_id, account)
    if name is None:
        raise Http404
    return ended_already(request, f"{name} was ended already.", back=back)


def _ask(request: HttpRequest, names: list[str], whom: str, back: str) -> HttpResponse:
    context = {
        "question": f"End {names[0] if len(names) == 1 else f'{len(names)} programs'}?",
        "what": [
            f"Programs with access for {whom}: {', '.join(names)}.",
            "The access ends at once: nothing is read or written through it any more.",
            "A program can ask again, and acts again once it is allowed to.",
        ],
        "confirm": "End",
        "cancel_href": back,
        "danger": True,
    }
    return render(request, "parts/confirm.html", context)
