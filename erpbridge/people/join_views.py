"""Join an account with an existing login, using a link that an admin passes on.

E-mail addresses are not verified, so a login does not prove who its holder is. This link does: the
admin hands it to the person. Until it is used, the membership gives no access.
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
    """A valid link: the membership it confirms, and the nonce that makes it work once."""

    membership: Membership
    nonce: str


def join_path(membership: Membership) -> str:
    """Return the path of the join page. It works once, and as long as an invitation link."""
    token = signing.dumps([membership.pk, membership.join_nonce], salt=SALT)
    return reverse("access:join", args=[token])


@never_cache
@require_http_methods(GET_OR_POST)
def join(request: ScopedRequest, token: str) -> HttpResponse:
    """Ask for confirmation, then join; only for the invited login."""
    link = _read(token)
    if link is None:
        return render(request, "access/join.html", {"problem": "gone"}, status=410)
    # Whoever else got hold of the link must not join with a login of their own.
    if link.membership.user_id != request.user.pk:
        return render(request, "access/join.html", {"problem": "other login"}, status=403)
    if request.method == "POST":
        if people_services.join(link.membership, nonce=link.nonce):
            return redirect("account", account_id=link.membership.account_id)
        return render(request, "access/join.html", {"problem": "gone"}, status=410)
    return render(request, "access/join.html", {"account": link.membership.account})


def _read(token: str) -> Link | None:
    """Return the link's content; None when it is invalid, expired, used or replaced."""
    try:
        # The signature bounds its age, the nonce makes it work once.
        pk, nonce = signing.loads(token, salt=SALT, max_age=settings.PASSWORD_RESET_TIMEOUT)
    except signing.BadSignature:
        return None
    unconfirmed = Membership.objects.filter(
        pk=pk, join_nonce=nonce, confirmed_at=None, is_active=True
    )
    membership = unconfirmed.select_related("user", "account").first()
    return Link(membership, nonce) if membership else None
