"""Whether records of a type can be sent at all: project, connection, reference data.

See docs/design/sending-to-erp.md, "Why the button is disabled" and "Project's ERP data".
"""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from erp_integrations.adapters.base import Adapter, EntityManifest, Owner, Problem
from erp_integrations.adapters.registry import AdapterUnavailable
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.models import Connection
from erp_integrations.models.record_types import project_problem
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access

# Rules of problems that are solved in the project's settings.
OF_PROJECT = frozenset({"project_not_in_erp", "project_inactive"})


@dataclass(frozen=True)
class Readiness:
    """The active connection with its manifest and adapter, and all reasons against sending."""

    problems: tuple[Problem, ...]
    connection: Connection | None = None
    manifest: EntityManifest | None = None
    label: str = ""
    adapter: Adapter | None = None


def readiness(entity: str, access: Access) -> Readiness:
    """Return whether records of a type can be sent from the scope of ``access``."""
    project = access.project
    problem = project_problem(project) if project else None
    problems = [problem] if problem else []
    connection = connection_services.active(access.account.pk, entity)
    if connection is None:
        message = "No ERP is connected to this account yet."
        return Readiness((*problems, Problem("connection", "no_connection", message)))
    try:
        manifest = adapter_loading.manifest_of(connection)
        adapter = adapter_loading.adapter_of(connection)
    except AdapterUnavailable as error:
        unavailable = Problem(
            "connection", "adapter", f"The ERP connection cannot be used: {error}"
        )
        return Readiness((*problems, unavailable), connection)
    if connection.tested_at is None or connection.test_result.get("problems"):
        problems.append(_not_tested(connection))
    # The lists that approvers choose from come with the first refresh.
    if connection.refreshed_at is None:
        problems.append(_not_synced())
    entity_manifest = manifest.entities.get(entity)
    if entity_manifest is not None and entity_manifest.owner == Owner.ERP:
        message = (
            f"{manifest.label} owns these records: they are made there, and fetched with "
            "Refresh from ERP."
        )
        problems.append(Problem("connection", "erp_owns", message))
    elif entity_manifest is None or not entity_manifest.operations:
        problems.append(
            Problem("connection", "unsupported", f"{manifest.label} does not take these records.")
        )
    return Readiness(tuple(problems), connection, entity_manifest, manifest.short_name, adapter)


def _not_tested(connection: Connection) -> Problem:
    test_problems = connection.test_result.get("problems") or ["It has not been tested yet."]
    return Problem(
        "connection", "not_tested", f"The ERP connection is not working: {test_problems[0]}"
    )


def _not_synced() -> Problem:
    return Problem(
        "connection",
        "not_synced",
        "The ERP data has not been synced yet. An ERP administrator can refresh it "
        "from the connection's page.",
    )


def help_link(ready: Readiness, access: Access) -> tuple[str, str]:
    """Return URL and label of the page where the user can solve the problems.

    Both are empty if there is no problem, or the user may not solve it.
    """
    rules = {problem.rule for problem in ready.problems}
    if rules & OF_PROJECT and access.project and access.can(Permission.PROJECT_CONFIGURE):
        url = reverse("access:project_settings", args=[access.account.pk, access.project.pk])
        return url, "Go to project settings"
    if rules - OF_PROJECT and access.can(Permission.CONNECTION_CONFIGURE):
        return reverse("erp:connection", args=[access.account.pk]), "Go to ERP connection"
    return "", ""
