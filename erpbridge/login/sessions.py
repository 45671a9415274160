"""Responses to requests of people who are not signed in, or not any more."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django_htmx.middleware import HtmxDetails

from erpbridge.login.views import LoginForm
from erpbridge.ui.resent_form import Typed, send_again, typed_fields

ENDED = "Your session has ended. Nothing was saved. Sign in again to continue."


class SignInMiddleware(LoginRequiredMiddleware):
    """Redirects to the login page, and keeps the fields of a submitted form."""

    def handle_no_permission(  # type: ignore[override]  # the stubs: redirects only
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseBase:
        """Return the login page; plain text for htmx, into which a page does not fit."""
        if HtmxDetails(request):
            return HttpResponse(ENDED, "text/plain; charset=utf-8", status=401)
        # A redirect would lose the typed fields.
        if request.method == "POST":
            return sign_in_page(request, typed_fields(request))
        response: HttpResponseBase = super().handle_no_permission(request, view_func)
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            # Passed in the URL, because the next request no longer has the cookie of the ended
            # session.
            response["Location"] += "&ended=1"
        return response


def sign_in_page(request: HttpRequest, typed: Typed | None) -> HttpResponse:
    """Return the login page in place of the requested one, with the typed fields."""
    context = {
        "form": LoginForm(request),
        "ended": True,
        "refused": True,
        "typed": typed,
        "next": "",
    }
    return render(request, "access/login.html", context, status=401)


# --- CSRF failures --------------------------------------------------------------------------

REPLACED = (
    "You have signed in again since this page was opened, in another tab or window, so what it "
    "sent was not taken."
)
NO_COOKIE = (
    "Your browser sent no cookie along, so nothing was taken. Allow cookies for this address, or "
    "open the page again if you have just deleted them."
)


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say why the CSRF check failed; return the form's fields if only its token was too old."""
    # Django passes the reason as a text only.
    if reason.startswith(("Origin", "Referer")):
        return _refusal_page(request, "It came from another address", _other_origin(request))
    if reason.startswith("CSRF cookie"):
        return _refusal_page(request, "No cookie", NO_COOKIE)
    if HtmxDetails(request):
        response = HttpResponse(REPLACED, "text/plain; charset=utf-8", status=403)
        response["X-Token-Replaced"] = "1"
        return response
    # Otherwise another site may have filled in the form, and a person would send it with one click.
    typed = typed_fields(request) if _is_same_origin(request) else None
    if typed is None:
        return _refusal_page(request, "This form is too old", f"{REPLACED} Open it again.")
    if not request.user.is_authenticated:
        return sign_in_page(request, typed)
    return send_again(request, typed, why=REPLACED, status=403)


def _refusal_page(request: HttpRequest, heading: str, text: str) -> HttpResponse:
    if HtmxDetails(request):
        return HttpResponse(text, "text/plain; charset=utf-8", status=403)
    context = {"why_heading": heading, "why": text, "back": _referring_page(request)}
    return render(request, "403_csrf.html", context, status=403)


def _other_origin(request: HttpRequest) -> str:
    sender = request.headers.get("Origin") or request.headers.get("Referer") or "no address"
    parts = urlsplit(sender)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else sender
    return (
        f"It was sent from {origin[:200]}, but this is {request.scheme}://{request.get_host()}. "
        "Nothing was done. Open the page at the address of this installation; if both are meant to "
        "work, the operator lists the other one in ERPBRIDGE_TRUSTED_ORIGINS."
    )


def _is_same_origin(request: HttpRequest) -> bool:
    """Whether the browser's own headers say that the form is from this site."""
    here = f"{request.scheme}://{request.get_host()}"
    return request.headers.get("Sec-Fetch-Site") == "same-origin" or (
        request.headers.get("Origin") == here
    )


def _referring_page(request: HttpRequest) -> str:
    """Return the page that had the form, if it is one of this site."""
    parts = urlsplit(request.headers.get("Referer", ""))
    is_ours = parts.netloc == request.get_host() and parts.path.startswith("/")
    return f"{parts.path}?{parts.query}".rstrip("?") if is_ours else ""
