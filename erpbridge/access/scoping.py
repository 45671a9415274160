"""Fetch and authorize in one step, so that a view never gets an account its caller may not see."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django_htmx.middleware import HtmxDetails

from erpbridge.access import policy, zones
from erpbridge.access.models import Account, Project, User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.numbers import LARGEST_ID

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]


class ScopedRequest(HttpRequest):
    """A request whose account, and project where there is one, have been resolved."""

    access: Access
    user: User
    htmx: HtmxDetails


def resolve(user: User, account_id: int, project_id: int | None = None) -> Access:
    """Return the access of ``user`` in the scope of a URL.

    :raises Http404: when the account or project does not exist, when the person is not a member of
        the account, or when the person has no level in any tool of the project. The cases look
        alike.
    """
    account = get_object_or_404(Account.objects.visible_to(user), pk=account_id)
    access = policy.load(user, account)
    # The membership may have ended since the query before.
    if access is None:
        raise Http404
    if project_id is None:
        return access
    project = get_object_or_404(Project.objects.visible_to(access.membership), pk=project_id)
    # Saves a query each time that the project's account is read.
    project.account = account
    # load() returns None only if the membership has ended since the lookup above.
    return policy.load(user, account, project) or access


def project_of(request: ScopedRequest) -> Project:
    """Return the project of a page whose URL always names one."""
    project = request.access.project
    assert project is not None, "the URL of this page names a project"
    return project


def require(access: Access, action: Permission, entity: str = "") -> None:
    """Deny with a 403 page that gives the reason, unless ``action`` is allowed."""
    answer = access.can(action, entity)
    if not answer:
        raise PermissionDenied(answer.why)


def _refuse_impossible_ids(*arguments: object) -> None:
    """Reject ids that do not fit in 64 bits, on which a database query would fail.

    :raises Http404: when one of a URL's arguments is such a number.
    """
    if any(isinstance(value, int) and value > LARGEST_ID for value in arguments):
        raise Http404


def scoped(
    action: Permission | None = None,
) -> Callable[[Callable[Concatenate[ScopedRequest, P], HttpResponseBase]], View]:
    """Decorate a view whose URL has ``account_id`` and maybe ``project_id``.

    The view gets a :class:`ScopedRequest` and the other URL arguments. ``action`` is the required
    policy rule; None means that any member has access.
    """

    def decorate(view: Callable[Concatenate[ScopedRequest, P], HttpResponseBase]) -> View:
        @wraps(view)
        def wrapper(
            request: Any, account_id: int, *args: Any, project_id: int | None = None, **kwargs: Any
        ) -> HttpResponseBase:
            _refuse_impossible_ids(account_id, project_id, *kwargs.values())
            request.access = resolve(request.user, account_id, project_id)
            account = request.access.account
            # ZoneMiddleware has activated the person's own zone; the account is known only here.
            timezone.activate(zones.first_of(request.user.time_zone, account.time_zone))
            if action:
                require(request.access, action)
            return view(request, *args, **kwargs)

        return wrapper

    return decorate
