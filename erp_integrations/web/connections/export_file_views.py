"""Files for an ERP that imports by hand: make one, download it, confirm what became of it."""

from __future__ import annotations

from pathlib import PurePath
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.export.delivery.file import LARGEST_RESULT, Linked, NotDone
from erp_integrations.models import ExportFile
from erp_integrations.web.connections.views import fetch
from erp_integrations.web.item_list_views import kind_of
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, require, scoped

# Verdicts that need an upload -> the message if it is missing.
CHOOSE: dict[str, str] = {
    ExportFile.Verdict.RESULT: "Choose the result file that the ERP gave you.",
    ExportFile.Verdict.IDS: "Choose the list of IDs that you filled in.",
}
NOTHING_LINKED = (
    "Nothing was linked: the list has no ID for any record that still needs one. Fill in the IDs, "
    "then upload the list again."
)
# Most keys that a message lists.
MOST_KEYS = 5
TOO_LARGE = "The file is larger than 10 MB, which is the limit. Nothing was read from it."


def _file(access: Access, file_id: UUID) -> ExportFile:
    """Return a file of the account.

    :raises Http404: if there is none.
    :raises PermissionDenied: unless the person may accept the records in it.
    """
    files = ExportFile.objects.filter(connection__account=access.account)
    file = get_object_or_404(files.select_related("connection"), public_id=file_id)
    require(access, Permission.ITEMS_ACCEPT, file.entity)
    return file


def _to_connection(request: ScopedRequest) -> HttpResponseBase:
    return redirect("erp:connection", request.access.account.pk)


@require_POST
@scoped(Permission.CONNECTION_VIEW)
def make_file(request: ScopedRequest, pk: int, kind: str) -> HttpResponseBase:
    """Put the waiting items into a new file.

    :raises PermissionDenied: if the person may not accept items of this type.
    """
    connection, entity = fetch(request.access, pk), kind_of(kind).entity
    require(request.access, Permission.ITEMS_ACCEPT, entity)
    try:
        file = file_delivery.make(connection, entity, by=request.user)
    except NotDone as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, f"{file.name} has {file.count}. Download it, import it, then confirm it."
        )
    return _to_connection(request)


@require_safe
@scoped(Permission.CONNECTION_VIEW)
def download(request: ScopedRequest, file_id: UUID) -> HttpResponse:
    """Download the file as it was made."""
    file = _file(request.access, file_id)
    return _attachment(file.name, bytes(file.content), file.content_type)


@require_safe
@scoped(Permission.CONNECTION_VIEW)
def id_list(request: ScopedRequest, file_id: UUID) -> HttpResponse:
    """Download the list in which a person enters the IDs that the ERP gave to new records."""
    file = _file(request.access, file_id)
    name = f"ids-{PurePath(file.name).stem}.csv"
    return _attachment(name, file_delivery.id_list(file), "text/csv; charset=utf-8")


def _attachment(name: str, content: bytes, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


@require_POST
@scoped(Permission.CONNECTION_VIEW)
def confirm_file(request: ScopedRequest, file_id: UUID) -> HttpResponseBase:
    """Settle the items of a file by a result file, a list of IDs, or the verdict alone."""
    file, verdict = _file(request.access, file_id), request.POST.get("verdict", "")
    upload = request.FILES.get("result")
    if verdict not in ExportFile.Verdict.values:
        messages.error(request, "Choose the result of the import.")
    elif verdict in CHOOSE and upload is None:
        messages.error(request, CHOOSE[verdict])
    # The size is checked before the upload is read into memory.
    elif upload is not None and (upload.size or 0) > LARGEST_RESULT:
        messages.error(request, TOO_LARGE)
    else:
        result = upload.read() if upload and verdict in CHOOSE else None
        _confirm(request, file, ExportFile.Verdict(verdict), result)
    return _to_connection(request)


def _confirm(
    request: ScopedRequest, file: ExportFile, verdict: ExportFile.Verdict, result: bytes | None
) -> None:
    earlier = Linked(0, ())
    try:
        count = file_delivery.confirm(file, verdict, by=request.user, result=result)
        # The list may also have IDs that earlier files of the connection still lack.
        if verdict == ExportFile.Verdict.IDS and result is not None:
            earlier = file_delivery.link_unnamed(file, result, by=request.user)
    except NotDone as error:
        messages.error(request, str(error))
        return
    not_arrived = file.count - count
    if verdict == ExportFile.Verdict.NONE:
        messages.success(request, f"The records of {file.name} wait for the next file.")
    elif not_arrived:
        messages.warning(
            request,
            f"{count} were imported into the ERP. {not_arrived} were not, or need an answer.",
        )
    else:
        messages.success(request, f"All {count} of {file.name} were imported into the ERP.")
    _tell(request, earlier, "of earlier files")


def _tell(request: ScopedRequest, linked: Linked, qualifier: str) -> None:
    """Say what was linked, and what was not because another record has its ID."""
    if linked.count == 1:
        messages.success(request, f"1 record {qualifier} is now linked to its ID.")
    elif linked.count:
        records = f"{linked.count} records {qualifier}"
        messages.success(request, f"{records} are now linked to their IDs.")
    if linked.taken:
        keys = ", ".join(linked.taken[:MOST_KEYS])
        if len(linked.taken) > MOST_KEYS:
            keys += f" and {len(linked.taken) - MOST_KEYS} more"
        messages.error(
            request,
            f"Not linked, because another record already has the ID of the list: {keys}. Correct "
            "the list, or answer on the page of each item.",
        )


@require_POST
@scoped(Permission.CONNECTION_VIEW)
def link_unnamed(request: ScopedRequest, file_id: UUID) -> HttpResponseBase:
    """Read a list of IDs for records that a confirmed file left without one."""
    file, upload = _file(request.access, file_id), request.FILES.get("result")
    if upload is None:
        messages.error(request, CHOOSE[ExportFile.Verdict.IDS])
    elif (upload.size or 0) > LARGEST_RESULT:
        messages.error(request, TOO_LARGE)
    else:
        _link_unnamed(request, file, upload.read())
    return _to_connection(request)


def _link_unnamed(request: ScopedRequest, file: ExportFile, content: bytes) -> None:
    try:
        linked = file_delivery.link_unnamed(file, content, by=request.user)
    except NotDone as error:
        messages.error(request, str(error))
        return
    _tell(request, linked, "that had no ID")
    if linked == Linked(0, ()):
        messages.error(request, NOTHING_LINKED)
