"""Pages of the cost code import, and the export of a list."""

from __future__ import annotations

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
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.files import errors as files_errors
from erpbridge.files import workbooks
from erpbridge.files.table import FileProblem
from erpbridge.files.uploads import UploadForm, file_field
from erpbridge.refusals import Refused


class CodeFileForm(UploadForm):
    """The file to import."""

    file = file_field(
        "CSV or Excel file",
        accept=".csv,.tsv,.txt,.xlsx,text/csv",
        help_text="the first line holds the headings; of a workbook the first sheet is read.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.CODES_EDIT)
def upload(request: ScopedRequest, list_id: int) -> HttpResponse:
    """Choose a file; the list is not changed yet."""
    code_list = _list(request, list_id)
    form = CodeFileForm()
    if request.method == "POST":
        form = CodeFileForm(request.POST, request.FILES)
        if form.is_valid():
            chosen = form.cleaned_data["file"]
            try:
                return _to(_start(request, code_list, chosen.read(), name=chosen.name))
            # At the field, because another file, or another list, is what helps.
            except (FileProblem, CodeRefused) as problem:
                form.add_error("file", str(problem))
    context = {"list": code_list, "form": form, "layouts": columns.LABELS.values()}
    return render(
        request, "wbs/import.html", context | {"read_only": list_services.read_only(code_list)}
    )


@require_POST
@scoped(Permission.CODES_EDIT)
def use_starter(request: ScopedRequest, list_id: int) -> HttpResponse:
    """Use the starter list as an upload for an empty list; the person confirms it."""
    code_list = _list(request, list_id)
    try:
        # The button is shown for an empty list only; codes may have been added since.
        if code_list.codes.exists():
            raise CodeRefused("The starter list is for an empty list; this one has codes.")
        return _to(_start(request, code_list, starter.content(), name=starter.NAME))
    except CodeRefused as problem:
        messages.warning(request, str(problem))
    return redirect("admin_wbs:list", code_list.account_id, code_list.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.CODES_EDIT)
def preview(request: ScopedRequest, code_import_id: UUID) -> HttpResponse:
    """What each row of an upload would do; after confirmation, the result."""
    code_import = _import(request, code_import_id)
    if request.method == "POST":
        if not uploads.choose_delimiter(code_import, request.POST.get("delimiter", "")):
            messages.warning(request, "This file was imported already.")
        return _to(code_import)
    if code_import.confirmed_at:
        return render(
            request, "wbs/import_result.html", {"import": code_import, "result": code_import.result}
        )
    context = import_pages.preview(code_import, uploads.plan_of(code_import), request.GET)
    context["read_only"] = list_services.read_only(code_import.list)
    return render(request, "wbs/import_preview.html", {"import": code_import, **context})


@require_POST
@scoped(Permission.CODES_EDIT)
def confirm(request: ScopedRequest, code_import_id: UUID) -> HttpResponse:
    """Import the rows without errors, once."""
    code_import = _import(request, code_import_id)
    try:
        apply.confirm(code_import, seen=request.POST.get("seen", ""), by=request.user)
    # Whatever the reason, the preview says what would happen now.
    except Refused as refusal:
        messages.warning(request, str(refusal))
    return _to(code_import)


@require_safe
@scoped(Permission.CODES_EDIT)
def errors(request: ScopedRequest, code_import_id: UUID) -> HttpResponse:
    """The rows that are not imported, with the reason, to correct and upload again."""
    code_import = _import(request, code_import_id)
    if code_import.confirmed_at:
        rows = [files_errors.Refused(*row) for row in code_import.result.get("refused", [])]
    else:
        rows = uploads.plan_of(code_import).refused
    return files_errors.download(
        code_import.header, rows, file_name=code_import.file_name, otherwise="codes"
    )


@require_safe
@scoped(Permission.CODES_VIEW)
def export_csv(request: ScopedRequest, list_id: int) -> HttpResponseBase:
    """The list as CSV."""
    code_list = _list(request, list_id)
    return StreamingHttpResponse(
        export.as_csv(code_list),
        content_type="text/csv; charset=utf-8",
        headers=_named(f"{code_list.name}.csv"),
    )


@require_safe
@scoped(Permission.CODES_VIEW)
def export_workbook(request: ScopedRequest, list_id: int) -> HttpResponse:
    """The list as XLSX."""
    code_list = _list(request, list_id)
    content = export.as_workbook(code_list)
    headers = _named(f"{code_list.name}.xlsx")
    return HttpResponse(content, content_type=workbooks.CONTENT_TYPE, headers=headers)


def _start(request: ScopedRequest, code_list: CodeList, content: bytes, *, name: str) -> CodeImport:
    """:raises ReadOnly: :raises FileProblem: with the reason."""
    # Before the upload is stored, so that nobody prepares an import that cannot be confirmed.
    list_services.refuse_read_only(code_list)
    return uploads.start(content, code_list=code_list, file_name=name, access=request.access)


def _to(code_import: CodeImport) -> HttpResponse:
    return redirect("admin_wbs:import_preview", code_import.account_id, code_import.pk)


def _list(request: ScopedRequest, list_id: int) -> CodeList:
    return get_object_or_404(CodeList.objects.visible_to(request.access), pk=list_id)


def _import(request: ScopedRequest, code_import_id: UUID) -> CodeImport:
    return get_object_or_404(uploads.visible_to(request.access), pk=code_import_id)


def _named(name: str) -> dict[str, object]:
    return {"Content-Disposition": content_disposition_header(True, name)}
