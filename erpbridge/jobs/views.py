"""The page of a job: progress while it runs, then what came of it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from erpbridge.access.policy import Access
from erpbridge.access.scoping import ScopedRequest, scoped
from erpbridge.db.busy import DISK
from erpbridge.jobs.models import Job
from erpbridge.processes.private_files import disk_problem


def href(job: Job, access: Access) -> str:
    """The address of a job's page in the scope of ``access``."""
    if access.project is not None:
        place = [access.account.pk, access.project.pk, job.public_id]
        return reverse("jobs:project_job", args=place)
    return reverse("jobs:job", args=[access.account.pk, job.public_id])


@require_safe
@scoped()
def job(request: ScopedRequest, job_id: UUID) -> HttpResponse:
    """The job; what htmx asks for again and again is its progress only."""
    visible = Job.objects.visible_to(request.access).select_related("by")
    found = get_object_or_404(visible, public_id=job_id)
    context = _context(found, request.access)
    if request.headers.get("HX-Request") and not request.headers.get("HX-Boosted"):
        answer = render(request, "jobs/running.html", context)
        if not found.is_live:
            answer.headers["HX-Refresh"] = "true"
        return answer
    return render(request, "jobs/job.html", context)


def running(access: Access, subject: str) -> dict[str, object]:
    """Context for ``jobs/running.html``: the live job about a subject, empty without one."""
    found = Job.objects.visible_to(access).live().filter(subject=subject).order_by("-pk").first()
    return _context(found, access) if found else {}


def _context(found: Job, access: Access) -> dict[str, object]:
    return {"job": found, "job_href": href(found, access), "job_waits": _waits(found)}


def _waits(found: Job) -> str:
    """Why a live job does not go on; empty while it does. A full disk keeps workers from saying
    so.
    """
    if not found.is_live or found.problem:
        return found.problem
    stands_still = Job.objects.due().filter(pk=found.pk).exists()
    return f"{DISK.reason} It can go on {DISK.when}." if stands_still and disk_problem() else ""
