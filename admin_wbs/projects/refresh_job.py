"""Refresh Cost Codes: projects that use the ERP get the codes synced since the last refresh.

An inactive code stays on the projects that have it, and is listed in the result.
"""

from __future__ import annotations

from django.urls import reverse

from admin_wbs.cost_codes import list_services
from admin_wbs.errors import CodeRefused
from admin_wbs.models import CodeList
from admin_wbs.projects import cost_codes
from erpbridge.access.models import Project
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.jobs.kinds import register
from erpbridge.jobs.models import Job
from erpbridge.jobs.run import JobProblem, Run
from erpbridge.jobs.start import start

ONE = "project_codes.refresh"
ALL = "project_codes.refresh_all"
# Rows per transaction: while it lasts, the list and the project are locked.
CHUNK = 500
MOST_NAMED = 20
NO_ERP = "No ERP that takes cost codes is connected to this account."


def subject(project: Project | None, account_id: int) -> str:
    """The subject under which jobs of one project, or of all projects, are stored."""
    return f"project_codes:{project.pk}" if project else f"all_project_codes:{account_id}"


def refusal(project: Project) -> str | None:
    """Why a project's codes cannot be refreshed; None if they can."""
    if not project.is_active:
        return "The project is inactive."
    if not project.use_with_erp:
        return "The project is not used with the ERP; its Admin can switch that on."
    return None if list_services.erp_list(project.account_id) else NO_ERP


def erp_projects(access: Access) -> list[Project]:
    """The projects of the account that a refresh of all includes."""
    projects = Project.objects.filter(account=access.account, is_active=True, use_with_erp=True)
    return list(projects.order_by("number", "name", "pk"))


def refresh(*, access: Access) -> Job:
    """Refresh the project of ``access``. :raises CodeRefused: with the reason."""
    project = access.project
    if project is None:
        raise CodeRefused("There is no project.")
    why = refusal(project)
    if why:
        raise CodeRefused(why)
    erp_list = list_services.erp_list(project.account_id)
    return start(
        ONE,
        access=access,
        subject=subject(project, project.account_id),
        title="Refresh Cost Codes",
        back=reverse("admin_wbs:project_codes", args=[project.account_id, project.pk]),
        total=cost_codes.missing(erp_list, project).count() if erp_list else 0,
    )[0]


def refresh_all(*, access: Access) -> Job:
    """Refresh all projects that use the ERP, in one job; its result has a line per project.

    :raises CodeRefused: if there is no such project, or no ERP.
    """
    if list_services.erp_list(access.account.pk) is None:
        raise CodeRefused(NO_ERP)
    projects = erp_projects(access)
    if not projects:
        raise CodeRefused("No active project of the account is used with the ERP.")
    return start(
        ALL,
        access=access,
        subject=subject(None, access.account.pk),
        title="Refresh cost codes on all projects",
        back=reverse("admin_wbs:lists", args=[access.account.pk]),
        args={"projects": [project.pk for project in projects]},
        total=len(projects),
    )[0]


def one_step(run: Run) -> None:
    """Add the next chunk of missing codes to the job's project."""
    project = run.job.project
    with run.chunk():
        assert project is not None
        code_list = _erp_list(run)
        added = cost_codes.add_missing(code_list, project=project, by=run.job.by, most=CHUNK)
        run.done += added
        # Further codes may have been synced since the job was started.
        run.total = max(run.total, run.done)
        if not added:
            inactive = [
                [str(code), "Inactive in the company's list."]
                for code in cost_codes.gone_inactive(project)[:MOST_NAMED]
            ]
            text = _outcome(run.done, project)
            run.finish({"text": text, "column": "Cost code", "rows": inactive})


def all_step(run: Run) -> None:
    """Add the next chunk of missing codes to the next project of the job."""
    with run.chunk():
        code_list = _erp_list(run)
        # The projects as of the start: one that is created meanwhile is not looked for.
        project_ids = run.job.args["projects"][run.done :]
        rows = run.notes.setdefault("rows", [])
        if not project_ids:
            run.finish({"text": _summary(run), "column": "Project", "rows": rows})
            return
        # Read it again: it may have become inactive, or stopped using the ERP.
        project = Project.objects.get(pk=project_ids[0], account=run.job.account_id)
        why = refusal(project)
        added = 0
        if not why:
            added = cost_codes.add_missing(code_list, project=project, by=run.job.by, most=CHUNK)
            run.notes["added"] = run.notes.get("added", 0) + added
        if not added:
            text = why or _outcome(run.notes.get("added", 0), project)
            rows.append([str(project), text])
            # A project may take several chunks; its number is added up in ``added`` until it is
            # done.
            run.notes["everywhere"] = run.notes.get("everywhere", 0) + run.notes.pop("added", 0)
            run.done += 1


def _erp_list(run: Run) -> CodeList:
    code_list = list_services.erp_list(run.job.account_id)
    if code_list is None:
        raise JobProblem(NO_ERP)
    return code_list


def _outcome(added: int, project: Project) -> str:
    inactive = cost_codes.gone_inactive(project).count()
    text = f"{added:,} cost code{'' if added == 1 else 's'} added."
    return (
        f"{text} {inactive:,} on it {'is' if inactive == 1 else 'are'} inactive."
        if inactive
        else text
    )


def _summary(run: Run) -> str:
    added = run.notes.get("everywhere", 0)
    return f"{run.total:,} project{'' if run.total == 1 else 's'} refreshed, {added:,} codes added."


def register_jobs() -> None:
    """Register the jobs with the workers."""
    register(ONE, one_step, action=Permission.PROJECT_CODES_VIEW)
    register(ALL, all_step, action=Permission.CODES_REFRESH_PROJECTS)
