"""What was typed into a form that could not be taken: given back, to be sent again.

A session that has ended and a token that another tab has replaced refuse a form whatever stands in
it. The browser gets the typed values back on a page that sends them again; nothing is stored here.
Secrets are never given back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import Resolver404, resolve

SALT = "erpbridge.resending"
# Seconds within which somebody has to sign in for a form to be given back.
LONGEST_PAUSE = 12 * 3_600
TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of a field
SECRET = re.compile(r"pass(word|wd|phrase|code)|secret|token|credential|(^|[-_])(pin|key)$", re.I)
KEEPS_NOTHING = "keeps_nothing_typed"

View = TypeVar("View", bound=Callable[..., Any])


def keeps_nothing_typed(view: View) -> View:
    """A form with secrets: nothing of it is given back, whatever its fields are called."""
    setattr(view, KEEPS_NOTHING, True)
    return view


@dataclass(frozen=True)
class Typed:
    """A form that was sent: where to, and its fields but for tokens and secrets.

    ``lost``: whether something that was typed or chosen is not among them.
    """

    path: str
    fields: tuple[tuple[str, str], ...]
    lost: bool = False

    def sealed(self) -> str:
        """As text that a page can carry, and nobody can change."""
        return signing.dumps([self.path, self.fields, self.lost], salt=SALT, compress=True)


def typed_in(request: HttpRequest) -> Typed | None:
    """What a refused POST held; None where nothing can be given back."""
    if request.method != "POST" or _keeps_nothing(request.path_info):
        return None
    fields = [(name, str(value)) for name in request.POST for value in request.POST.getlist(name)]
    kept = tuple((name, value) for name, value in fields if name != TOKEN and not _secret(name))
    lost = bool(request.FILES) or any(value and _secret(name) for name, value in fields)
    return Typed(request.get_full_path(), kept, lost)


def opened(text: str) -> Typed | None:
    """What :meth:`Typed.sealed` made; None for anything else, and after a while."""
    try:
        path, fields, lost = signing.loads(text, salt=SALT, max_age=LONGEST_PAUSE)
        return Typed(str(path), tuple((str(name), str(value)) for name, value in fields), lost)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def carried(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    """The fields by which a page that stands in the way of a log-in keeps what was typed before it;
    none where nothing was.
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
    except Resolver404:
        return True


def send_again(request: HttpRequest, typed: Typed, *, why: str, status: int = 200) -> HttpResponse:
    """The page that sends it again."""
    context = {"typed": typed, "why": why}
    return render(request, "send_again.html", context, status=status)
