"""Pages of the import of cost codes, and the list as a file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import CodeRefused
from admin_wbs.importing import apply, columns, export, starter, uploads
from admin_wbs.importing import pages as import_pages
from admin_wbs.models import CodeImport, CodeList
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.files import errors as files_errors
from erpbridge.files import workbooks
from erpbridge.files.table import FileProblem
from erpbridge.files.uploads import UploadForm, file_field


class CodeFileForm(UploadForm):
    """The file."""

    file = file_field(
        "CSV or Excel file",
        accept=".csv,.tsv,.txt,.xlsx,text/csv",
        help_text="the first line holds the headings; of a workbook the first sheet is read.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("codes.edit")
def upload(request: ScopedRequest, list_id: int) -> HttpResponse:
    """Choose a file; nothing is written to the list yet."""
    found = _list(request, list_id)
    form = CodeFileForm()
    if request.method == "POST":
        form = CodeFileForm(request.POST, request.FILES)
        if form.is_valid():
            chosen = form.cleaned_data["file"]
            try:
                return _to(_start(request, found, chosen.read(), name=chosen.name))
            except (FileProblem, CodeRefused) as problem:
                form.add_error("file", str(problem))
    context = {"list": found, "form": form, "layouts": columns.LABELS.values()}
    return render(
        request, "wbs/import.html", context | {"read_only": list_services.read_only(found)}
    )


@require_POST
@scoped("codes.edit")
def use_starter(request: ScopedRequest, list_id: int) -> HttpResponse:
    """The starter list as an upload for an empty list; the person looks at it and confirms."""
    found = _list(request, list_id)
    try:
        if found.codes.exists():
            raise CodeRefused("The starter list is for an empty list; this one has codes.")
        return _to(_start(request, found, starter.content(), name=starter.NAME))
    except CodeRefused as problem:
        messages.warning(request, str(problem))
    return redirect("admin_wbs:list", found.account_id, found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("codes.edit")
def preview(request: ScopedRequest, code_import_id: UUID) -> HttpResponse:
    """What each row of an upload would do; of a confirmed one, what came of it."""
    found = _import(request, code_import_id)
    if request.method == "POST":
        if not uploads.choose_delimiter(found, request.POST.get("delimiter", "")):
            messages.warning(request, "This file was imported already.")
        return _to(found)
    if found.confirmed_at:
        return render(request, "wbs/import_result.html", {"import": found, "result": found.result})
    context = import_pages.preview(found, uploads.plan_of(found), request.GET)
    context["read_only"] = list_services.read_only(found.list)
    return render(request, "wbs/import_preview.html", {"import": found, **context})


@require_POST
@scoped("codes.edit")
def confirm(request: ScopedRequest, code_import_id: UUID) -> HttpResponse:
    """Import what can be imported, once."""
    found = _import(request, code_import_id)
    try:
        apply.confirm(found, seen=request.POST.get("seen", ""), by=request.user)
    except CodeRefused as refusal:
        messages.warning(request, str(refusal))
    return _to(found)


@require_safe
@scoped("codes.edit")
def errors(request: ScopedRequest, code_import_id: UUID) -> HttpResponse:
    """The rows that are not imported, with the reason, to mend and choose again."""
    found = _import(request, code_import_id)
    if found.confirmed_at:
        rows = [files_errors.Refused(*row) for row in found.result.get("refused", [])]
    else:
        rows = uploads.plan_of(found).refused
    return files_errors.download(found.header, rows, file_name=found.file_name, otherwise="codes")


@require_safe
@scoped("codes.view")
def export_csv(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """The list as CSV."""
    found = _list(request, list_id)
    return StreamingHttpResponse(
        export.as_csv(found),
        content_type="text/csv; charset=utf-8",
        headers=_named(f"{found.name}.csv"),
    )


@require_safe
@scoped("codes.view")
def export_workbook(request: ScopedRequest, list_id: int) -> HttpResponse:
    """The list as XLSX."""
    found = _list(request, list_id)
    content = export.as_workbook(found)
    headers = _named(f"{found.name}.xlsx")
    return HttpResponse(content, content_type=workbooks.CONTENT_TYPE, headers=headers)


def _start(request: ScopedRequest, found: CodeList, content: bytes, *, name: str) -> CodeImport:
    """:raises ReadOnly: :raises FileProblem: with the reason."""
    list_services.refuse_read_only(found)
    return uploads.start(content, found=found, file_name=name, access=request.access)


def _to(found: CodeImport) -> HttpResponse:
    return redirect("admin_wbs:import_preview", found.account_id, found.pk)


def _list(request: ScopedRequest, list_id: int) -> CodeList:
    return get_object_or_404(CodeList.objects.visible_to(request.access), pk=list_id)


def _import(request: ScopedRequest, code_import_id: UUID) -> CodeImport:
    return get_object_or_404(uploads.visible_to(request.access), pk=code_import_id)


def _named(name: str) -> dict[str, Any]:
    return {"Content-Disposition": content_disposition_header(True, name)}
