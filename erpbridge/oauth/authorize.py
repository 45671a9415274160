"""``/oauth/authorize``: a person lets an application act for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from erpbridge.access.models import Account, User
from erpbridge.oauth import tokens
from erpbridge.oauth.applications import OUT_OF_BAND
from erpbridge.oauth.models import Application

LONGEST_STATE = 2000


class Wrong(Exception):
    """A request that must not be answered with a redirect, since its target is not verified."""


@dataclass(frozen=True)
class Asked:
    """A request to act for the person, with a verified redirect URI."""

    application: Application
    redirect_uri: str
    state: str
    challenge: str
    problem: tuple[str, str] | None

    def address(self, **answer: str) -> str:
        """Return the redirect URI with the answer and the caller's state in its query."""
        parts = urlsplit(self.redirect_uri)
        query = [*parse_qsl(parts.query, keep_blank_values=True), *answer.items()]
        if self.state:
            query.append(("state", self.state))
        return urlunsplit(parts._replace(query=urlencode(query)))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """Ask the person, then redirect to the application with a code or an error."""
    assert isinstance(request.user, User)
    try:
        asked = _asked(request.GET, request.user)
    except Wrong as wrong:
        return render(request, "oauth/wrong.html", {"problem": str(wrong)}, status=400)
    if asked.problem:
        error, description = asked.problem
        return _back(request, asked, error=error, error_description=description)
    if request.method != "POST":
        return _ask(request, asked)
    if request.POST.get("answer") != "allow":
        return _back(request, asked, error="access_denied", error_description="The person refused.")
    try:
        code = tokens.new_code(
            asked.application,
            request.user,
            redirect_uri=asked.redirect_uri,
            challenge=asked.challenge,
        )
    except tokens.Refused as refused:
        return _back(request, asked, error=refused.error, error_description=refused.description)
    return _back(request, asked, code=code)


def _asked(query: QueryDict, user: User) -> Asked:
    """Parse the request.

    :raises Wrong: for an unknown application or redirect URI.
    """
    uid = query.get("client_id", "").replace("\x00", "")
    applications = Application.objects.filter(uid=uid, service=None, deleted_at=None)
    visible = Account.objects.visible_to(user)
    application = applications.filter(account__in=visible).select_related("account").first()
    if application is None:
        raise Wrong("This application is not known in any of your accounts.")
    return Asked(
        application,
        _redirect_uri(application, query),
        query.get("state", "")[:LONGEST_STATE],
        query.get("code_challenge", ""),
        _problem(query),
    )


def _redirect_uri(application: Application, query: QueryDict) -> str:
    """Return the requested redirect URI, which must equal a registered one.

    :raises Wrong: for any other.
    """
    registered = application.redirect_uris
    requested = query.get("redirect_uri", "")
    if not requested and len(registered) == 1:
        return str(registered[0])
    if requested not in registered:
        raise Wrong("The redirect_uri is none of those that the application has registered.")
    return requested


def _problem(query: QueryDict) -> tuple[str, str] | None:
    """Return error and description for an invalid request of a known application."""
    if query.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code."
    challenge, method = query.get("code_challenge", ""), query.get("code_challenge_method", "")
    if (challenge or method) and method != "S256":
        return "invalid_request", "code_challenge_method must be S256."
    if challenge and not 43 <= len(challenge) <= 128:
        return "invalid_request", "code_challenge must have 43 to 128 characters."
    return None


def _ask(request: HttpRequest, asked: Asked) -> HttpResponse:
    page = render(request, "oauth/authorize.html", {"asked": asked, "host": _host(asked)})
    return _may_lead_to(page, asked)


def _host(asked: Asked) -> str:
    return "" if asked.redirect_uri == OUT_OF_BAND else urlsplit(asked.redirect_uri).netloc


def _back(request: HttpRequest, asked: Asked, **answer: str) -> HttpResponse:
    """Redirect to the application, or show the code on a page to be copied."""
    if asked.redirect_uri == OUT_OF_BAND:
        context = {"asked": asked, **answer}
        return render(request, "oauth/out_of_band.html", context, status=_status(answer))
    return _may_lead_to(redirect(asked.address(**answer)), asked)


def _status(answer: dict[str, str]) -> int:
    return 200 if "code" in answer else 400


def _may_lead_to(response: Any, asked: Asked) -> HttpResponse:
    """Allow the page's form to be redirected to the application, in the CSP header.

    Browsers apply form-action to every further redirect as well, and applications often redirect to
    another host (on a developer's machine, another port), so all https or local addresses are
    allowed.
    """
    host = _host(asked)
    if host:
        scheme = urlsplit(asked.redirect_uri).scheme
        onward = "https:" if scheme == "https" else "http://localhost:* http://127.0.0.1:*"
        response._csp_update = {"form-action": [f"{scheme}://{host}", *onward.split()]}
    result: HttpResponse = response
    return result
