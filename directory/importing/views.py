"""Pages of the company import: choose a file, check columns and rows, confirm, result."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from directory.company_fields.countries import countries
from directory.importing import apply, error_file, uploads
from directory.importing import columns as mapping
from directory.importing import pages as import_pages
from directory.importing.plan import Choice, LookAlikes
from directory.models import CompanyImport
from directory.scoped_urls import Links
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.files import errors as files_errors
from erpbridge.files.table import FileProblem
from erpbridge.files.uploads import UploadForm, file_field
from erpbridge.imports.uploads import ConfirmRefused


class CompanyFileForm(UploadForm):
    """The file to import."""

    file = file_field(
        "CSV or XLSX file",
        accept=".csv,.tsv,.txt,.xlsx,text/csv",
        help_text="the first row holds the headings.",
    )


class ConfirmForm(forms.Form):
    """The choices for the whole file, and the fingerprint of the preview."""

    look_alikes = forms.ChoiceField(choices=LookAlikes.choices)
    place = forms.BooleanField(required=False)
    seen = forms.CharField()

    @property
    def choice(self) -> Choice:
        """The choices of a valid form."""
        return Choice(LookAlikes(self.cleaned_data["look_alikes"]), self.cleaned_data["place"])


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.COMPANIES_IMPORT)
def upload(request: ScopedRequest) -> HttpResponse:
    """Choose a file; the Directory is not changed yet."""
    form = CompanyFileForm()
    if request.method == "POST":
        form = CompanyFileForm(request.POST, request.FILES)
        started = _start(form, request) if form.is_valid() else None
        if started is not None:
            return redirect(Links(request.access).to("import_preview", started.pk))
    labels = [mapping.short_label(field) for field, _ in mapping.choices()[1:]]
    return _page(request, "import", {"form": form, "labels": labels})


@require_http_methods(["GET", "HEAD", "POST"])
@scoped(Permission.COMPANIES_IMPORT)
def preview(request: ScopedRequest, import_id: UUID) -> HttpResponse:
    """Columns and rows of an upload; after confirmation, the result."""
    code_import = _import(request, import_id)
    links = Links(request.access)
    url = links.to("import_preview", code_import.pk)
    errors_href = links.to("import_errors", code_import.pk)
    if request.method == "POST":
        if not uploads.choose_columns(code_import, request.POST):
            messages.warning(request, "This file was imported already; its columns stay.")
        return redirect(url)
    if code_import.confirmed_at:
        done = {"import": code_import, "result": code_import.result, "errors_href": errors_href}
        return _page(request, "import_result", done)
    plan = uploads.plan_of(code_import)
    context = {
        "import": code_import,
        "here": url,
        "columns": import_pages.file_columns(code_import),
        "ignored": import_pages.ignored(code_import),
        "choices": mapping.choices(),
        "countries": countries(),
        "mapping_problems": mapping.problems(code_import.columns, code_import.header),
        "on_project": request.access.project is not None,
        "confirm_href": links.to("import_confirm", code_import.pk),
        "errors_href": errors_href,
    }
    if plan is not None:
        context |= import_pages.preview(plan, request.GET)
    return _page(request, "import_preview", context)


@require_POST
@scoped(Permission.COMPANIES_IMPORT)
def confirm(request: ScopedRequest, import_id: UUID) -> HttpResponse:
    """Import the rows that can be imported, once."""
    code_import = _import(request, import_id)
    form = ConfirmForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose what to do with look-alikes.")
    else:
        seen = form.cleaned_data["seen"]
        try:
            apply.confirm(code_import, choice=form.choice, seen=seen, by=request.user)
        except ConfirmRefused as refusal:
            messages.warning(request, str(refusal))
    return redirect(Links(request.access).to("import_preview", code_import.pk))


@require_safe
@scoped(Permission.COMPANIES_IMPORT)
def errors(request: ScopedRequest, import_id: UUID) -> HttpResponse:
    """The rows that are not imported, with the reason, to correct and upload again."""
    code_import = _import(request, import_id)
    # After confirmation the rows are no longer stored, only the refused ones with their reasons.
    plan = None if code_import.confirmed_at else uploads.plan_of(code_import)
    rows = error_file.refused_by(plan) if plan else error_file.refused_of(code_import)
    return files_errors.download(
        code_import.header, rows, file_name=code_import.file_name, otherwise="companies"
    )


def _start(form: CompanyFileForm, request: ScopedRequest) -> CompanyImport | None:
    chosen = form.cleaned_data["file"]
    try:
        return uploads.start(chosen.read(), file_name=chosen.name, access=request.access)
    except FileProblem as problem:
        form.add_error("file", str(problem))
        return None


def _import(request: ScopedRequest, import_id: UUID) -> CompanyImport:
    return get_object_or_404(uploads.visible_to(request.access), pk=import_id)


def _page(request: ScopedRequest, name: str, context: dict[str, object]) -> HttpResponse:
    links = Links(request.access)
    place = {"list_href": links.to("companies"), "import_href": links.to("import")}
    return render(request, f"directory/{name}.html", {**place, **context})
