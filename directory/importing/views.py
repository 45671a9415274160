"""Pages of the company import: choose a file, check columns and rows, confirm, result."""

from __future__ import annotations

from typing import Any
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
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.files import errors as files_errors
from erpbridge.files.table import FileProblem
from erpbridge.files.uploads import UploadForm, file_field


class CompanyFileForm(UploadForm):
    """The file."""

    file = file_field(
        "CSV or XLSX file",
        accept=".csv,.tsv,.txt,.xlsx,text/csv",
        help_text="the first row holds the headings.",
    )


class ConfirmForm(forms.Form):
    """What is decided for the whole file, and which preview was seen."""

    look_alikes = forms.ChoiceField(choices=LookAlikes.choices)
    place = forms.BooleanField(required=False)
    seen = forms.CharField()

    @property
    def choice(self) -> Choice:
        """The decision, of a valid form."""
        return Choice(LookAlikes(self.cleaned_data["look_alikes"]), self.cleaned_data["place"])


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("companies.import")
def upload(request: ScopedRequest) -> HttpResponse:
    """Choose a file; nothing is written to the Directory yet."""
    form = CompanyFileForm()
    if request.method == "POST":
        form = CompanyFileForm(request.POST, request.FILES)
        started = _start(form, request) if form.is_valid() else None
        if started is not None:
            return redirect(Links(request.access).to("import_preview", started.pk))
    labels = [mapping.short_label(field) for field, _ in mapping.choices()[1:]]
    return _page(request, "import", {"form": form, "labels": labels})


@require_http_methods(["GET", "HEAD", "POST"])
@scoped("companies.import")
def preview(request: ScopedRequest, import_id: UUID) -> HttpResponse:
    """Columns and rows of an upload; of a confirmed one, what came of it."""
    found = _import(request, import_id)
    links = Links(request.access)
    here = links.to("import_preview", found.pk)
    errors_href = links.to("import_errors", found.pk)
    if request.method == "POST":
        if not uploads.choose_columns(found, request.POST):
            messages.warning(request, "This file was imported already; its columns stay.")
        return redirect(here)
    if found.confirmed_at:
        done = {"import": found, "result": found.result, "errors_href": errors_href}
        return _page(request, "import_result", done)
    plan = uploads.plan_of(found)
    context = {
        "import": found,
        "here": here,
        "columns": import_pages.file_columns(found),
        "ignored": import_pages.ignored(found),
        "choices": mapping.choices(),
        "countries": countries(),
        "mapping_problems": mapping.problems(found.columns, found.header),
        "on_project": request.access.project is not None,
        "confirm_href": links.to("import_confirm", found.pk),
        "errors_href": errors_href,
    }
    if plan is not None:
        context |= import_pages.preview(plan, request.GET)
    return _page(request, "import_preview", context)


@require_POST
@scoped("companies.import")
def confirm(request: ScopedRequest, import_id: UUID) -> HttpResponse:
    """Import what can be imported, once."""
    found = _import(request, import_id)
    form = ConfirmForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose what to do with look-alikes.")
    else:
        seen = form.cleaned_data["seen"]
        try:
            apply.confirm(found, choice=form.choice, seen=seen, by=request.user)
        except apply.ConfirmRefused as refusal:
            messages.warning(request, str(refusal))
    return redirect(Links(request.access).to("import_preview", found.pk))


@require_safe
@scoped("companies.import")
def errors(request: ScopedRequest, import_id: UUID) -> HttpResponse:
    """The rows that are not imported, with the reason, to mend and choose again."""
    found = _import(request, import_id)
    plan = None if found.confirmed_at else uploads.plan_of(found)
    rows = error_file.refused_by(plan) if plan else error_file.refused_of(found)
    return files_errors.download(
        found.header, rows, file_name=found.file_name, otherwise="companies"
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


def _page(request: ScopedRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    links = Links(request.access)
    place = {"list_href": links.to("companies"), "import_href": links.to("import")}
    return render(request, f"directory/{name}.html", {**place, **context})
