"""Idempotency keys: a repeated call with the same key has one effect.

See draft-ietf-httpapi-idempotency-key-header. The effect and the stored response are committed
together, so a row without a response belongs to a call that is still running, or to one that
crashed without any effect. The age of a row comes from the measured clock: setting the wall clock
must neither admit a second call next to the first nor expire a response early.
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

# Procore's Ruby SDK sends the second one.
HEADERS = ("Idempotency-Key", "Idempotency-Token")
# How long a response is stored, in seconds.
KEPT = 24 * 3_600
# Seconds; longer than any call takes. After that its process is assumed to have crashed.
LONGEST_CALL = 600
LONGEST_KEY = 255


def key_of(request: Request) -> str:
    """Return the idempotency key of a POST or PATCH, or an empty string.

    :raises Malformed: when the key is too long.
    """
    if request.method not in ("POST", "PATCH"):
        return ""
    key = next((request.headers[name] for name in HEADERS if request.headers.get(name)), "")
    # The draft defines a quoted string, but many clients send the key without quotes.
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
    """Return the stored response for this key, or call ``do`` and return its response.

    :param do: passes its response to the function it is given, in the transaction of its effect.
    :raises ApiError: 409 while the first call runs, or when this call ran so long that its key was
        given to another one; 422 when the key belongs to a different request.
    """
    row, is_new = _claim(request, key)
    if not is_new:
        # Asked before the state, so that a key used twice by mistake is never answered with "wait".
        if row.fingerprint != _fingerprint(request):
            raise ApiError(422, "This idempotency key was used for another request.")
        if row.status is None:
            raise ApiError(409, "A request with this idempotency key is still being answered.")
        return _replayed(row)
    try:
        return do(lambda response: _remember(row, response))
    except Exception:
        # Nothing was saved: release the key for a retry.
        Remembered.objects.filter(pk=row.pk, status=None).delete()
        raise


def _claim(request: Request, key: str) -> tuple[Remembered, bool]:
    """Return the row of a key, and whether this call created it and has to do the work."""
    # Expired rows of all callers, so that no cleanup job is needed.
    Remembered.objects.filter(started_reading__lt=ago(KEPT)).delete()
    owner = {"application_id": application_of(request).pk, "user": person_of(request), "key": key}
    abandoned = Remembered.objects.filter(status=None, started_reading__lt=ago(LONGEST_CALL))
    # If that call is alive after all, _remember() finds no row and rolls it back.
    abandoned.filter(**owner).delete()
    try:
        with transaction.atomic():
            row = Remembered(**owner, fingerprint=_fingerprint(request), started_reading=now())
            row.save(force_insert=True)
    except IntegrityError:
        existing = Remembered.objects.filter(**owner).first()
        # The row may be gone already if the first call failed in the meantime.
        return existing or row, False
    return row, True


def _remember(row: Remembered, response: HttpResponse) -> None:
    """Store the response.

    :raises ApiError: 409 when the key no longer belongs to this call; its transaction is rolled
        back.
    """
    rows = Remembered.objects.filter(pk=row.pk)
    if response.status_code >= 500 or response.status_code == 429:
        # The client should retry these, and a retry must not get the stored error.
        rows.delete()
        return
    updated = rows.update(
        status=response.status_code,
        body=response.content,
        media_type=response.get("Content-Type", ""),
        etag=response.get("ETag", ""),
    )
    if not updated:
        raise ApiError(409, TAKEN_OVER)


def _replayed(row: Remembered) -> HttpResponse:
    response = HttpResponse(bytes(row.body), status=row.status)
    for name, value in (("Content-Type", row.media_type), ("ETag", row.etag)):
        # HttpResponse sets a Content-Type by default; the stored response may have none.
        del response[name]
        if value:
            response[name] = value
    response["Idempotency-Replayed"] = "true"
    return response


def _fingerprint(request: Request) -> str:
    """Hash of method, URL, company and body, as they were sent."""
    django_request = request._request
    head = f"{request.method} {request.get_full_path()} {request.headers.get('Procore-Company-Id')}"
    return hashlib.sha256(head.encode() + b"\n" + django_request.body).hexdigest()


def keep_body(request: Request) -> None:
    """Read the body before it is parsed, so that its fingerprint can be computed.

    Not through ``request.body``, which rejects bodies over the limit for page forms.
    """
    django_request = request._request
    if not getattr(django_request, "_read_started", False):
        django_request._body = django_request.read()
