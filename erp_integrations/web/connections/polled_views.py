"""The endpoint that a polling ERP calls. It has no session: the adapter checks the credentials."""

from __future__ import annotations

import math
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from erp_integrations.adapters.base import InboundCall, InboundReply
from erp_integrations.export.delivery import polled
from erp_integrations.models import Connection

# The only headers that an adapter gets.
HEADERS = ("authorization", "content-type", "soapaction", "accept")
METHODS = frozenset({"GET", "POST"})


# The ERP has no session and no CSRF token; the adapter checks its credentials, and too many wrong
# ones lock the connection for a while (export/delivery/login_lockout.py).
@csrf_exempt
@login_not_required
@never_cache
def inbound_call(request: HttpRequest, public_id: UUID, rest: str = "") -> HttpResponse:
    """Pass one request of an ERP to the connection in its URL."""
    # Refused before the body is read into memory.
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdecimal() or len(announced) > 9 or int(announced) > polled.MOST_BODY:
        return _response(InboundReply(413, polled.TEXT, b"At most 1 MB is read."))
    connection = Connection.objects.filter(pk__gt=0, public_id=public_id).first()
    if connection is None or request.method not in METHODS:
        return _response(InboundReply(404, polled.TEXT, b"Nothing is to be asked here."))
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    call = InboundCall(request.method or "", rest, headers, request.body)
    return _response(polled.answer(connection, call))


def _response(reply: InboundReply) -> HttpResponse:
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
    # Whole seconds, rounded up, so that the ERP does not come back too early.
    if reply.retry_after is not None:
        response["Retry-After"] = str(math.ceil(reply.retry_after))
    return response
