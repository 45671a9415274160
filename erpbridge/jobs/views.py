"""The page of a job: its progress, then its result."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.busy import DISK
from erpbridge.jobs.models import Job
from erpbridge.processes.private_files import disk_problem


def href(job: Job, access: Access) -> str:
    """Return the URL of a job's page in the scope of ``access``."""
    if access.project is not None:
        url_args = [access.account.pk, access.project.pk, job.public_id]
        return reverse("jobs:project_job", args=url_args)
    return reverse("jobs:job", args=[access.account.pk, job.public_id])


@require_safe
@scoped()
def job(request: ScopedRequest, job_id: UUID) -> HttpResponse:
    """Show the job; htmx polls only the progress."""
    visible = Job.objects.visible_to(request.access).select_related("by")
    visible_job = get_object_or_404(visible, public_id=job_id)
    context = _context(visible_job, request.access)
    if request.htmx and not request.htmx.boosted:
        if not visible_job.is_live:
            # The result is another page than the progress, so the whole page is loaded again.
            return HttpResponseClientRefresh()
        return render(request, "jobs/running.html", context)
    return render(request, "jobs/job.html", context)


def running(access: Access, subject: str) -> dict[str, object]:
    """Return the context of ``jobs/running.html`` for a subject's live job; empty without one."""
    live_job = Job.objects.visible_to(access).live().filter(subject=subject).order_by("-pk").first()
    return _context(live_job, access) if live_job else {}


def _context(live_job: Job, access: Access) -> dict[str, object]:
    return {"job": live_job, "job_href": href(live_job, access), "job_waits": _waits(live_job)}


def _waits(live_job: Job) -> str | None:
    """Return why a live job does not continue; None if it does."""
    if not live_job.is_live or live_job.problem:
        return live_job.problem
    # With a full disk the workers cannot even store that they wait.
    is_waiting = Job.objects.due().filter(pk=live_job.pk).exists()
    return f"{DISK.reason} It can continue {DISK.when}." if is_waiting and disk_problem() else None
