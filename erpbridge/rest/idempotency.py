"""The same call twice with one key has one effect (draft-ietf-httpapi-idempotency-key-header).

Effect and remembered answer are committed together: a row without an answer belongs to a call that
still runs, or to one that died and did nothing. How old a row is, the measured clock says: a wall
clock that is set must neither let a second call in beside the first nor forget an answer early.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from rest_framework.request import Request

from erpbridge.clock.measured import ago, now
from erpbridge.rest.authentication import application_of, person_of
from erpbridge.rest.errors import ApiError, Malformed
from erpbridge.rest.models import Remembered

# The second is the one that Procore's Ruby SDK sends.
HEADERS = ("Idempotency-Key", "Idempotency-Token")
# Seconds.
KEPT = 24 * 3_600
# Longer than any call takes; then its process is believed dead.
LONGEST_CALL = 600
LONGEST_KEY = 255


def key_of(request: Request) -> str:
    """The key of a POST or PATCH, empty for none. :raises Malformed: for one too long."""
    if request.method not in ("POST", "PATCH"):
        return ""
    key = next((request.headers[name] for name in HEADERS if request.headers.get(name)), "")
    key = key.strip().strip('"')
    if len(key) > LONGEST_KEY:
        raise Malformed({HEADERS[0]: [f"has {len(key)} characters; the limit is {LONGEST_KEY}"]})
    return key


TAKEN_OVER = (
    "This request took so long that another one with its idempotency key was let in. See what is "
    "stored before you send it again."
)
Keep = Callable[[HttpResponse], None]


def once(request: Request, key: str, do: Callable[[Keep], HttpResponse]) -> HttpResponse:
    """The answer to a call: the one given before under this key, or that of ``do`` now.

    :param do: hands its answer to the function that it is given, in the transaction of its effect.
    :raises ApiError: 409 while the first call runs, or where this one has run for so long that its
        key was given to another; 422 for the key of another call.
    """
    row, mine = _claim(request, key)
    if not mine:
        if row.fingerprint != _fingerprint(request):
            raise ApiError(422, "This idempotency key was used for another request.")
        if row.status is None:
            raise ApiError(409, "A request with this idempotency key is still being answered.")
        return _replayed(row)
    try:
        return do(lambda answer: _remember(row, answer))
    except Exception:
        Remembered.objects.filter(pk=row.pk, status=None).delete()
        raise


def _claim(request: Request, key: str) -> tuple[Remembered, bool]:
    """The row of a key, and whether this call is the one to do the work."""
    Remembered.objects.filter(started_reading__lt=ago(KEPT)).delete()
    whose = {"application_id": application_of(request).pk, "user": person_of(request), "key": key}
    believed_dead = Remembered.objects.filter(status=None, started_reading__lt=ago(LONGEST_CALL))
    believed_dead.filter(**whose).delete()
    try:
        with transaction.atomic():
            new = Remembered(**whose, fingerprint=_fingerprint(request), started_reading=now())
            new.save(force_insert=True)
    except IntegrityError:
        found = Remembered.objects.filter(**whose).first()
        # Gone again: the first call has failed this very moment.
        return found or new, False
    return new, True


def _remember(row: Remembered, answer: HttpResponse) -> None:
    """:raises ApiError: 409 where the key is no longer this call's; what it did is taken back."""
    found = Remembered.objects.filter(pk=row.pk)
    if answer.status_code >= 500 or answer.status_code == 429:
        found.delete()
        return
    kept = found.update(
        status=answer.status_code,
        body=answer.content,
        media_type=answer.get("Content-Type", ""),
        etag=answer.get("ETag", ""),
    )
    if not kept:
        raise ApiError(409, TAKEN_OVER)


def _replayed(row: Remembered) -> HttpResponse:
    answer = HttpResponse(bytes(row.body), status=row.status)
    for name, value in (("Content-Type", row.media_type), ("ETag", row.etag)):
        del answer[name]
        if value:
            answer[name] = value
    answer["Idempotency-Replayed"] = "true"
    return answer


def _fingerprint(request: Request) -> str:
    """Of method, address, company and body as they came."""
    django = request._request
    head = f"{request.method} {request.get_full_path()} {request.headers.get('Procore-Company-Id')}"
    return hashlib.sha256(head.encode() + b"\n" + django.body).hexdigest()


def keep_body(request: Request) -> None:
    """Read the body once, before it is parsed, so that its fingerprint can be taken.

    Not through ``body``, which refuses what is larger than a form of a page may be.
    """
    django = request._request
    if not getattr(django, "_read_started", False):
        django._body = django.read()
