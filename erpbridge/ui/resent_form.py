"""Return the fields of a form that could not be accepted, so that it can be sent again.

A form is rejected when its session has ended or another tab has replaced its CSRF token. The
browser gets the typed values on a page that sends them again; nothing is stored here, and secrets
are never returned.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import Resolver404, resolve

SALT = "erpbridge.resending"
# Seconds within which somebody has to sign in to get the form back.
LONGEST_PAUSE = 12 * 3_600
TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of a field
SECRET = re.compile(r"pass(word|wd|phrase|code)|secret|token|credential|(^|[-_])(pin|key)$", re.I)
KEEPS_NOTHING = "keeps_nothing_typed"

View = TypeVar("View", bound=Callable[..., object])


def keeps_nothing_typed(view: View) -> View:
    """Mark a view whose form has secrets: none of its fields is returned."""
    setattr(view, KEEPS_NOTHING, True)
    return view


@dataclass(frozen=True)
class Typed:
    """A submitted form: its URL and its fields, without tokens and secrets.

    ``lost``: whether something that was typed or chosen is not included.
    """

    path: str
    fields: tuple[tuple[str, str], ...]
    lost: bool = False

    def sealed(self) -> str:
        """Return a signed text for a hidden field."""
        # Signed, because the page that sends it again takes its address from here.
        return signing.dumps([self.path, self.fields, self.lost], salt=SALT, compress=True)


def typed_fields(request: HttpRequest) -> Typed | None:
    """Return the fields of a rejected POST; None if nothing can be returned."""
    if request.method != "POST" or _keeps_nothing(request.path_info):
        return None
    fields = [(name, str(value)) for name in request.POST for value in request.POST.getlist(name)]
    returned_fields = tuple(
        (name, value) for name, value in fields if name != TOKEN and not _secret(name)
    )
    # Browsers do not let a page fill in a file again.
    lost = bool(request.FILES) or any(value and _secret(name) for name, value in fields)
    return Typed(request.get_full_path(), returned_fields, lost)


def opened(text: str) -> Typed | None:
    """Read what :meth:`Typed.sealed` made; None if it is invalid or too old."""
    try:
        path, fields, lost = signing.loads(text, salt=SALT, max_age=LONGEST_PAUSE)
        return Typed(str(path), tuple((str(name), str(value)) for name, value in fields), lost)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def carried(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    """Return the hidden fields by which a page before the login keeps what was typed.

    Empty if there is nothing to keep.
    """
    if opened(request.POST.get("typed", "")) is None:
        return ()
    typed = [(name, request.POST.get(name, "")) for name in ("next", "typed")]
    return ((TOKEN, get_token(request)), *typed)


def _secret(name: str) -> bool:
    return name != TOKEN and bool(SECRET.search(name))


def _keeps_nothing(path: str) -> bool:
    try:
        return bool(getattr(resolve(path).func, KEEPS_NOTHING, False))
    # No form of this site was sent to an unknown path.
    except Resolver404:
        return True


def send_again(request: HttpRequest, typed: Typed, *, why: str, status: int = 200) -> HttpResponse:
    """Render the page that sends the form again."""
    context = {"typed": typed, "why": why}
    return render(request, "send_again.html", context, status=status)
