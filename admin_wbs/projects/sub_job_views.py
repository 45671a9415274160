"""Pages of a project's sub jobs."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from admin_wbs.errors import SegmentRefused
from admin_wbs.models import SubJob
from admin_wbs.projects import sub_jobs
from erpbridge.access.permissions import Permission
from erpbridge.access.scoping import ScopedRequest, project_of, require, scoped
from erpbridge.audit.models import Event
from erpbridge.db.numbers import number
from erpbridge.ui import page_params
from erpbridge.ui.confirmation.confirm_delete import ask_then_delete
from erpbridge.ui.confirmation.second_click import deleted_already, deletion
from erpbridge.ui.forms import PlainTexts
from erpbridge.ui.listing import list_page

GET_OR_POST = ("GET", "HEAD", "POST")
MOST_HISTORY = 50


class SubJobForm(PlainTexts, forms.ModelForm):  # type: ignore[type-arg]
    """Code and name of a sub job."""

    class Meta:
        model = SubJob
        fields = ("code", "name")


@require_http_methods(GET_OR_POST)
@scoped(Permission.PROJECT_WBS_VIEW)
def sub_job_list(request: ScopedRequest) -> HttpResponseBase:
    """The sub jobs of the project; a POST adds one."""
    if request.method != "POST":
        return _page(request, SubJobForm())
    require(request.access, Permission.PROJECT_WBS_EDIT)
    is_part = bool(request.htmx)
    key = page_params.typed_row(request.POST)
    form = SubJobForm(request.POST, auto_id=f"{key}_%s" if is_part else "id_%s")
    created = _add(request, form)
    if not is_part:
        if created is None:
            return _page(request, form)
        messages.success(request, f"Added the sub job {created}.")
        return redirect(f"{request.path}?added={created.pk}")
    context: dict[str, object] = {"add_url": request.path, "may_edit": True}
    if created is None:
        context |= {"form": form, "key": key}
        return render(request, "wbs/parts/typed_sub_job.html", context)
    context |= {"sub_job": created, "said": f"Added the sub job {created}."}
    return render(request, "wbs/parts/sub_job_added.html", context)


def _add(request: ScopedRequest, form: SubJobForm) -> SubJob | None:
    """Add a sub job; None if the form has errors now.

    If an earlier request with the same values created it and its response was lost, that one is
    returned.
    """
    if not form.is_valid():
        return None
    project = project_of(request)
    try:
        return sub_jobs.add(project, by=request.user, **form.cleaned_data)
    except (ValidationError, SegmentRefused) as error:
        # Only with ``again``, which the page sets when it repeats a request without an answer.
        same = SubJob.objects.filter(project=project, **form.cleaned_data)
        stored = same.first() if request.POST.get("again") else None
        if stored is None:
            _add_error(form, error)
        return stored


def _page(request: ScopedRequest, form: SubJobForm) -> HttpResponse:
    page = list_page(
        SubJob.objects.visible_to(request.access),
        request.GET,
        sorts={"code": "code", "name": "name"},
        search=lambda rows, words: rows.search(words),  # type: ignore[attr-defined]
    )
    may_edit = request.access.can(Permission.PROJECT_WBS_EDIT)
    offered = sub_jobs.offered(project_of(request))
    context = {
        "page": page,
        "form": form,
        "typed": SubJobForm(auto_id=f"{page_params.MODEL_ROW}_%s"),
        "adding": form.is_bound or "added" in request.GET,
        "add_url": request.path,
        "adds": bool(may_edit) and offered,
        "offered": offered,
        "may_edit": may_edit,
    }
    return render(request, "wbs/sub_jobs.html", context)


@require_http_methods(GET_OR_POST)
@scoped(Permission.PROJECT_WBS_EDIT)
def sub_job(request: ScopedRequest, sub_job_id: int) -> HttpResponseBase:
    """Code and name of a sub job, and its history."""
    sub_job = _sub_job(request, sub_job_id)
    # Taken before the form, which writes what was typed to the instance.
    title, seen = str(sub_job), sub_job.revision
    if request.method == "POST":
        # Kept if the form is shown again, so that nobody's edit is overwritten unnoticed.
        seen = number(request.POST.get("seen", ""))
    form = SubJobForm(request.POST if request.method == "POST" else None, instance=sub_job)
    if request.method == "POST" and form.is_valid():
        try:
            changed = sub_jobs.change(sub_job, values=form.cleaned_data, seen=seen, by=request.user)
        except (ValidationError, SegmentRefused) as error:
            _add_error(form, error)
        else:
            messages.success(request, f"Saved the sub job {changed}.")
            return redirect(_home(request))
    history = Event.objects.about(request.access.account.pk, sub_jobs.SUB_JOB, sub_job.pk)
    context = {
        "form": form,
        "title": title,
        "seen": seen,
        "home": _home(request),
        "history": history[:MOST_HISTORY],
    }
    return render(request, "wbs/sub_job.html", context)


@require_POST
@scoped(Permission.PROJECT_WBS_EDIT)
def sub_job_switch(request: ScopedRequest, sub_job_id: int) -> HttpResponseBase:
    """Deactivate or reactivate a sub job."""
    sub_job, active = _sub_job(request, sub_job_id), request.POST.get("active") == "1"
    try:
        changed = sub_jobs.switch(sub_job, active=active, by=request.user)
    except SegmentRefused as refused:
        messages.error(request, str(refused))
    else:
        done = "Reactivated" if active else "Deactivated"
        messages.success(request, f"{done} the sub job {changed}.")
    return redirect(_home(request))


@require_http_methods(GET_OR_POST)
@scoped(Permission.PROJECT_WBS_EDIT)
def sub_job_delete(request: ScopedRequest, sub_job_id: int) -> HttpResponseBase:
    """Ask, then delete a sub job."""
    sub_job = SubJob.objects.visible_to(request.access).filter(pk=sub_job_id).first()
    if sub_job is None:
        # A deleted sub job of another project of the account must stay unknown here.
        of_project = {"project_id": project_of(request).pk}
        event = deletion(request, sub_jobs.SUB_JOB, sub_job_id, **of_project)
        return deleted_already(request, event, back=_home(request))
    return ask_then_delete(
        request,
        sub_job,
        word="sub job",
        refusal=sub_jobs.delete_refusal(sub_job),
        what=[f"{sub_job} is removed from the project. This cannot be undone."],
        delete=lambda: sub_jobs.delete(sub_job, by=request.user),
        back=_home(request),
    )


def _home(request: ScopedRequest) -> str:
    return reverse("admin_wbs:sub_jobs", args=[request.access.account.pk, project_of(request).pk])


def _sub_job(request: ScopedRequest, sub_job_id: int) -> SubJob:
    visible = SubJob.objects.visible_to(request.access).select_related("project")
    return get_object_or_404(visible, pk=sub_job_id)


def _add_error(form: SubJobForm, error: ValidationError | SegmentRefused) -> None:
    form.add_error(None, error if isinstance(error, ValidationError) else str(error))
