"""Pages of a project's sub jobs."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from admin_wbs import asked, sub_jobs
from admin_wbs.deleting import ask_then_delete
from admin_wbs.models import SubJob
from admin_wbs.refusals import SegmentRefused
from admin_wbs.segment_forms import SubJobForm
from erpbridge.access.models import Project
from erpbridge.access.scoping import ScopedRequest, require, scoped
from erpbridge.audit.models import Event
from erpbridge.ui.listing import list_page

GET_OR_POST = ("GET", "HEAD", "POST")
MOST_HISTORY = 50


@require_http_methods(GET_OR_POST)
@scoped("project_wbs.view")
def sub_job_list(request: ScopedRequest) -> HttpResponseBase:
    """The sub jobs of the project; a POST adds one."""
    project = _project(request)
    form = SubJobForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require(request.access, "project_wbs.edit")
        if form.is_valid():
            try:
                made = sub_jobs.add(project, by=request.user, **form.cleaned_data)
            except (ValidationError, SegmentRefused) as error:
                _show(form, error)
            else:
                messages.success(request, f"Added the sub job {made}.")
                return redirect(f"{request.path}?added={made.pk}")
    page = list_page(
        SubJob.objects.visible_to(request.access),
        request.GET,
        sorts={"code": "code", "name": "name"},
        search=lambda found, words: found.search(words),  # type: ignore[attr-defined]
    )
    form.fields["code"].widget.attrs["autofocus"] = "added" in request.GET
    context = {
        "page": page,
        "form": form,
        "offered": sub_jobs.offered(project),
        "may_edit": request.access.can("project_wbs.edit"),
    }
    return render(request, "wbs/sub_jobs.html", context)


@require_http_methods(GET_OR_POST)
@scoped("project_wbs.edit")
def sub_job(request: ScopedRequest, sub_job_id: int) -> HttpResponseBase:
    """Code and name of a sub job, and its history."""
    found = _sub_job(request, sub_job_id)
    title, seen = str(found), found.revision
    form = SubJobForm(request.POST if request.method == "POST" else None, instance=found)
    if request.method == "POST" and form.is_valid():
        seen = asked.number(request.POST.get("seen", ""))
        try:
            changed = sub_jobs.change(found, values=form.cleaned_data, seen=seen, by=request.user)
        except (ValidationError, SegmentRefused) as error:
            _show(form, error)
        else:
            messages.success(request, f"Saved the sub job {changed}.")
            return redirect(_home(request))
    history = Event.objects.about(request.access.account.pk, sub_jobs.SUB_JOB, found.pk)
    context = {
        "form": form,
        "title": title,
        "seen": seen,
        "home": _home(request),
        "history": history[:MOST_HISTORY],
    }
    return render(request, "wbs/sub_job.html", context)


@require_POST
@scoped("project_wbs.edit")
def sub_job_switch(request: ScopedRequest, sub_job_id: int) -> HttpResponseBase:
    """Deactivate or reactivate."""
    found, active = _sub_job(request, sub_job_id), request.POST.get("active") == "1"
    try:
        changed = sub_jobs.switch(found, active=active, by=request.user)
    except SegmentRefused as refused:
        messages.error(request, str(refused))
    else:
        done = "Reactivated" if active else "Deactivated"
        messages.success(request, f"{done} the sub job {changed}.")
    return redirect(_home(request))


@require_http_methods(GET_OR_POST)
@scoped("project_wbs.edit")
def sub_job_delete(request: ScopedRequest, sub_job_id: int) -> HttpResponseBase:
    """Ask, then delete a sub job."""
    found = _sub_job(request, sub_job_id)
    return ask_then_delete(
        request,
        found,
        word="sub job",
        refusal=sub_jobs.delete_refusal(found),
        what=[f"{found} leaves the project. It cannot be brought back."],
        delete=lambda: sub_jobs.delete(found, by=request.user),
        back=_home(request),
    )


def _project(request: ScopedRequest) -> Project:
    project = request.access.project
    assert project is not None, "these pages are a project's"
    return project


def _home(request: ScopedRequest) -> str:
    return reverse("admin_wbs:sub_jobs", args=[request.access.account.pk, _project(request).pk])


def _sub_job(request: ScopedRequest, sub_job_id: int) -> SubJob:
    visible = SubJob.objects.visible_to(request.access).select_related("project")
    return get_object_or_404(visible, pk=sub_job_id)


def _show(form: SubJobForm, error: ValidationError | SegmentRefused) -> None:
    form.add_error(None, error if isinstance(error, ValidationError) else str(error))
