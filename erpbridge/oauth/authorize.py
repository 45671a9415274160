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


class UnsafeRequest(Exception):
    """A request that must not be answered with a redirect, since its target is not verified."""


@dataclass(frozen=True)
class AuthorizationRequest:
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
        grant = _parsed(request.GET, request.user)
    except UnsafeRequest as wrong:
        return render(request, "oauth/wrong.html", {"problem": str(wrong)}, status=400)
    if grant.problem:
        error, description = grant.problem
        return _answer(request, grant, error=error, error_description=description)
    if request.method != "POST":
        return _ask(request, grant)
    if request.POST.get("answer") != "allow":
        return _answer(
            request, grant, error="access_denied", error_description="The person refused."
        )
    try:
        code = tokens.new_code(
            grant.application,
            request.user,
            redirect_uri=grant.redirect_uri,
            challenge=grant.challenge,
        )
    except tokens.Refused as refused:
        return _answer(request, grant, error=refused.error, error_description=refused.description)
    return _answer(request, grant, code=code)


def _parsed(query: QueryDict, user: User) -> AuthorizationRequest:
    """Parse the request.

    :raises UnsafeRequest: for an unknown application or redirect URI.
    """
    # PostgreSQL rejects null characters in parameters.
    uid = query.get("client_id", "").replace("\x00", "")
    applications = Application.objects.filter(uid=uid, service=None, deleted_at=None)
    # An application of another account looks unknown, so that client ids cannot be probed.
    visible = Account.objects.visible_to(user)
    application = applications.filter(account__in=visible).select_related("account").first()
    if application is None:
        raise UnsafeRequest("This application is not known in any of your accounts.")
    return AuthorizationRequest(
        application,
        _redirect_uri(application, query),
        query.get("state", "")[:LONGEST_STATE],
        query.get("code_challenge", ""),
        _problem(query),
    )


def _redirect_uri(application: Application, query: QueryDict) -> str:
    """Return the requested redirect URI, which must equal a registered one.

    :raises UnsafeRequest: for any other.
    """
    registered = application.redirect_uris
    requested = query.get("redirect_uri", "")
    # RFC 6749, 3.1.2.3: it may be left out where only one is registered.
    if not requested and len(registered) == 1:
        return str(registered[0])
    if requested not in registered:
        raise UnsafeRequest(
            "The redirect_uri is none of those that the application has registered."
        )
    return requested


def _problem(query: QueryDict) -> tuple[str, str] | None:
    """Return error and description for an invalid request of a known application."""
    if query.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code."
    challenge, method = query.get("code_challenge", ""), query.get("code_challenge_method", "")
    # The method "plain" would show the verifier to whoever sees this request (RFC 7636, 7.2).
    if (challenge or method) and method != "S256":
        return "invalid_request", "code_challenge_method must be S256."
    # RFC 7636, 4.2.
    if challenge and not 43 <= len(challenge) <= 128:
        return "invalid_request", "code_challenge must have 43 to 128 characters."
    return None


def _ask(request: HttpRequest, grant: AuthorizationRequest) -> HttpResponse:
    page = render(request, "oauth/authorize.html", {"asked": grant, "host": _host(grant)})
    return _with_form_action(page, grant)


def _host(grant: AuthorizationRequest) -> str:
    return "" if grant.redirect_uri == OUT_OF_BAND else urlsplit(grant.redirect_uri).netloc


def _answer(request: HttpRequest, grant: AuthorizationRequest, **answer: str) -> HttpResponse:
    """Redirect to the application, or show the code on a page to be copied."""
    if grant.redirect_uri == OUT_OF_BAND:
        context = {"asked": grant, **answer}
        status = 200 if "code" in answer else 400
        return render(request, "oauth/out_of_band.html", context, status=status)
    return _with_form_action(redirect(grant.address(**answer)), grant)


def _with_form_action(response: Any, grant: AuthorizationRequest) -> HttpResponse:
    """Allow the page's form to be redirected to the application, in the CSP header.

    Browsers apply form-action to every further redirect as well, and applications often redirect to
    another host (on a developer's machine, another port), so all https or local addresses are
    allowed.
    """
    host = _host(grant)
    if host:
        scheme = urlsplit(grant.redirect_uri).scheme
        onward = "https:" if scheme == "https" else "http://localhost:* http://127.0.0.1:*"
        response._csp_update = {"form-action": [f"{scheme}://{host}", *onward.split()]}
    result: HttpResponse = response
    return result
