"""Joining an account with a login that exists already, from the link an admin has passed on.

Nothing proves that the holder of a login reads the mail of its address. That they are whom the
admin means is proved by this link, which the admin hands over; before, the membership opens
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from erpbridge.access.models import Membership
from erpbridge.access.scoping import ScopedRequest
from erpbridge.access.services import people as people_services
from erpbridge.people.account_views import GET_OR_POST

SALT = "erpbridge.access.join"


@dataclass(frozen=True)
class Link:
    """A link that still works: whom it lets in, and what makes it work once."""

    membership: Membership
    nonce: str


def join_path(membership: Membership) -> str:
    """Path of the page where the person joins; it works once, and as long as an invitation."""
    token = signing.dumps([membership.pk, membership.join_nonce], salt=SALT)
    return reverse("access:join", args=[token])


@never_cache
@require_http_methods(GET_OR_POST)
def join(request: ScopedRequest, token: str) -> HttpResponse:
    """Ask whether to join, and join; only for the login that was invited."""
    link = _read(token)
    if link is None:
        return render(request, "access/join.html", {"problem": "gone"}, status=410)
    if link.membership.user_id != request.user.pk:
        return render(request, "access/join.html", {"problem": "other login"}, status=403)
    if request.method == "POST":
        if people_services.join(link.membership, nonce=link.nonce):
            return redirect("account", account_id=link.membership.account_id)
        return render(request, "access/join.html", {"problem": "gone"}, status=410)
    return render(request, "access/join.html", {"account": link.membership.account})


def _read(token: str) -> Link | None:
    """What a link says, or None when it is broken, expired, used or replaced by a newer one."""
    try:
        pk, nonce = signing.loads(token, salt=SALT, max_age=settings.PASSWORD_RESET_TIMEOUT)
    except signing.BadSignature:
        return None
    waiting = Membership.objects.filter(pk=pk, join_nonce=nonce, confirmed_at=None, is_active=True)
    membership = waiting.select_related("user", "account").first()
    return Link(membership, nonce) if membership else None
