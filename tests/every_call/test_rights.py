"""Who may carry out each writing operation: valid calls by programs that hold one right each.

The rows were read out of a run and grouped, then compared line by line with
docs/design/permissions.md, "Who does what" and "Where the sources are silent".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from erpbridge.access.services.people import Levels
from tests.every_call import writes
from tests.every_call.test_refusals import Watched, nothing_but_errors
from tests.every_call.writes import Operation
from tests.every_page.scenes import account, ada, scene

__all__ = ["account", "ada", "scene"]

NONE, READ, STANDARD, ADMIN = Level.NONE, Level.READ_ONLY, Level.STANDARD, Level.ADMIN


@dataclass(frozen=True)
class Holder:
    """Levels on Directory, Admin and ERP Integrations, in the account and on the projects, and
    with *Can push to accounting* which record type may be imported, and which exported.
    """

    account: Levels
    projects: Levels
    can_push: bool = False
    imports: str = ""
    exports: str = ""

    def give_rights(self, membership: Membership) -> None:
        """Give the rights per record type; levels and flag are set when the membership is made."""
        for entity in filter(None, (self.imports, self.exports)):
            can = {"can_import": entity == self.imports, "can_export": entity == self.exports}
            membership.erp_rights.create(entity=entity, **can)


def everywhere(directory: Level, admin: Level, erp: Level, *, can_push: bool = False) -> Holder:
    levels = Levels(directory, admin, erp)
    return Holder(levels, levels, can_push)


def approves(imports: str, exports: str) -> Holder:
    """Standard on ERP Integrations with the flag; each record type in one direction alone."""
    levels = Levels(READ, READ, STANDARD)
    return Holder(levels, levels, can_push=True, imports=imports, exports=exports)


HOLDERS = {
    # Each right one step too low.
    "reads all, with the flag": everywhere(READ, READ, READ, can_push=True),
    "standard in all": everywhere(STANDARD, STANDARD, STANDARD),
    # One right each; all of them read the rest, so that nothing is refused as not found.
    "D": everywhere(ADMIN, READ, READ),
    "A": everywhere(READ, ADMIN, READ),
    "E": everywhere(READ, READ, ADMIN),
    "E with the flag": everywhere(READ, READ, ADMIN, can_push=True),
    # The acceptance items of the scene are of companies.
    "approves companies": approves("cost_code", "vendor"),
    "approves codes": approves("vendor", "cost_code"),
    # Create and Edit Companies.
    "C": Holder(Levels(READ, READ, READ, True), Levels(READ, READ, READ)),
    "project C": Holder(Levels(READ, READ, READ), Levels(READ, READ, READ, True)),
    "project D": Holder(Levels(READ, READ, READ), Levels(ADMIN, READ, READ)),
    "project A": Holder(Levels(READ, READ, READ), Levels(READ, ADMIN, READ)),
    "project E with the flag": Holder(
        Levels(READ, READ, READ), Levels(READ, READ, ADMIN), can_push=True
    ),
    "project approves companies": Holder(
        Levels(READ, READ, READ), Levels(READ, READ, STANDARD), can_push=True, exports="vendor"
    ),
}


TABLE: list[tuple[set[str], str]] = [
    (
        {"D", "C"},
        """
        DELETE vendors/{vendor_id}/insurances/{id}
        PATCH vendors/sync
        PATCH vendors/{id}
        PATCH vendors/{id}/business_register
        PATCH vendors/{vendor_id}/insurances/sync
        PATCH vendors/{vendor_id}/insurances/{id}
        POST trades
        POST vendors
        POST vendors/{id}/business_register
        POST vendors/{vendor_id}/insurances
        """,
    ),
    (
        {"D"},
        """
        DELETE departments/{id}
        PATCH departments/{id}
        PATCH projects/sync
        PATCH users/inactive/{id}
        PATCH users/sync
        PATCH users/{id}
        PATCH vendors/inactive/{id}
        POST departments
        POST projects
        POST users
        POST vendors/actions/send_to_erp
        POST vendors/{id}/actions/send_to_erp
        project DELETE users/{id}/actions/remove
        project PATCH users/inactive/{id}
        project PATCH users/{id}
        project POST users
        project POST users/{id}/actions/add
        """,
    ),
    (
        {"D", "A"},
        """
        DELETE standard_cost_codes/{id}
        DELETE work_breakdown_structure/segments/{id}
        DELETE work_breakdown_structure/segments/{segment_id}/segment_items/bulk_destroy
        DELETE work_breakdown_structure/segments/{segment_id}/segment_items/{id}
        PATCH line_item_types/sync
        PATCH line_item_types/{id}
        PATCH standard_cost_code_lists/{id}
        PATCH standard_cost_codes/sync
        PATCH standard_cost_codes/{id}
        PATCH work_breakdown_structure/segments/{id}
        PATCH work_breakdown_structure/segments/{segment_id}/segment_items/update_all
        PATCH work_breakdown_structure/segments/{segment_id}/segment_items/{id}
        POST line_item_types
        POST standard_cost_code_lists
        POST standard_cost_code_lists/{id}/actions/send_to_erp
        POST standard_cost_codes
        POST standard_cost_codes/{id}/actions/send_to_erp
        POST work_breakdown_structure/segments
        POST work_breakdown_structure/segments/{segment_id}/segment_items
        PUT work_breakdown_structure/patterns/update_segment_order
        """,
    ),
    (
        {"D", "A", "project D", "project A"},
        """
        DELETE sub_jobs/{id}
        PATCH cost_codes/sync
        PATCH cost_codes/{id}
        PATCH sub_jobs/sync
        PATCH sub_jobs/{id}
        POST cost_codes
        POST cost_codes/copy_from_standard_list
        POST cost_codes/copy_subset_from_standard_list
        POST sub_jobs
        project PATCH projects/{project_id}
        project PATCH work_breakdown_structure/wbs_codes/bulk_create
        project PATCH work_breakdown_structure/wbs_codes/update_all
        project PATCH work_breakdown_structure/wbs_codes/{id}
        project POST work_breakdown_structure/wbs_codes
        project PUT work_breakdown_structure/patterns/add_segment
        project PUT work_breakdown_structure/patterns/remove_segment
        project PUT work_breakdown_structure/patterns/update_segment_order
        """,
    ),
    (
        {"E with the flag", "approves companies"},
        """
        PATCH erp_queue/{id}
        POST erp_queue/actions/accept
        POST erp_queue/actions/reject
        POST erp_queue/actions/retry
        POST erp_queue/{id}/actions/accept
        POST erp_queue/{id}/actions/answer
        POST erp_queue/{id}/actions/link_instead
        POST erp_queue/{id}/actions/reject
        POST erp_queue/{id}/actions/retry
        POST erp_queue/{id}/actions/use_anyway
        POST erp_queue/{id}/actions/withdraw
        """,
    ),
    (
        {"D", "A", "E", "E with the flag"},
        """
        POST standard_cost_code_lists/{id}/actions/retrieve_from_erp
        POST standard_cost_codes/{id}/actions/retrieve_from_erp
        """,
    ),
    (
        {"D", "E", "E with the flag"},
        """
        POST erp_queue/{id}/actions/unlink
        POST vendors/actions/retrieve_from_erp
        POST vendors/{id}/actions/retrieve_from_erp
        """,
    ),
    (
        {"D", "project D", "project C"},
        """
        project DELETE vendors/{id}/actions/remove
        project PATCH vendors/{id}
        project POST vendors
        project POST vendors/{id}/actions/add
        """,
    ),
    (
        {"D", "project D"},
        """
        project PATCH vendors/inactive/{id}
        project POST vendors/actions/send_to_erp
        project POST vendors/{id}/actions/send_to_erp
        """,
    ),
    (
        {
            *("E with the flag", "project E with the flag"),
            *("approves companies", "project approves companies"),
        },
        """
        project PATCH erp_queue/{id}
        project POST erp_queue/actions/accept
        project POST erp_queue/actions/reject
        project POST erp_queue/actions/retry
        project POST erp_queue/{id}/actions/accept
        project POST erp_queue/{id}/actions/answer
        project POST erp_queue/{id}/actions/link_instead
        project POST erp_queue/{id}/actions/reject
        project POST erp_queue/{id}/actions/retry
        project POST erp_queue/{id}/actions/use_anyway
        project POST erp_queue/{id}/actions/withdraw
        """,
    ),
    (
        {"D", "E", "E with the flag", "project D", "project E with the flag"},
        """
        project POST erp_queue/{id}/actions/unlink
        """,
    ),
    (
        {"D", "E", "E with the flag", "project D"},
        """
        project POST vendors/actions/retrieve_from_erp
        project POST vendors/{id}/actions/retrieve_from_erp
        """,
    ),
]


@pytest.fixture
def program(make_service, scene, name) -> Any:
    """A program with the rights of a row of ``HOLDERS``."""
    holder = HOLDERS[name]
    made = make_service(
        name,
        levels=holder.account,
        on_projects=holder.projects,
        projects=[scene.project, scene.plain],
        can_push_to_accounting=holder.can_push,
    )
    holder.give_rights(made.made.application.service)
    return made


def without_origin_ids(body: Any) -> Any:
    """Only a caller who may import may give an ERP ID, see test_refusals."""
    if isinstance(body, dict):
        kept = {name: value for name, value in body.items() if name != "origin_id"}
        if "digest" in body:  # there it is the ERP record to link to
            return body
        return {name: without_origin_ids(value) for name, value in kept.items()}
    return [without_origin_ids(row) for row in body] if isinstance(body, list) else body


def key(operation: Operation) -> str:
    where = "project " if operation.of_project else ""
    return f"{where}{operation.method} {operation.name}"


def allowed() -> dict[str, set[str]]:
    """Operation -> the holders who may carry it out."""
    return {line.strip(): who for who, lines in TABLE for line in lines.strip().splitlines()}


@pytest.mark.parametrize("name", HOLDERS)
def test_each_writing_operation_is_open_to_those_who_hold_the_right_and_to_nobody_else(
    scene, program, name
):
    watched, expected = Watched(scene), allowed()
    wrong = []
    for operation in writes.distinct():
        call = scene.call(operation)
        call = replace(call, body=without_origin_ids(call.body))
        answer = watched.tried(program, operation, call)
        refused = answer.status_code in (403, 404) or nothing_but_errors(answer)
        done = answer.status_code < 400 and not refused
        if done is refused or done != (name in expected[key(operation)]):
            wrong.append((key(operation), answer.status_code, answer.content[:200]))
        watched.compare(operation)
    assert wrong == []
    assert watched.nothing_changed()


def test_the_table_names_every_writing_operation_and_no_other():
    assert set(allowed()) == {key(operation) for operation in writes.distinct()}


def test_a_program_of_another_account_carries_out_nothing(scene, stranger, other_account):
    """It sends calls that are valid in the account, at the account's address and at its own."""
    watched = Watched(scene)
    for operation in writes.distinct():
        call = scene.call(operation)
        for company in (scene.account, other_account):
            stranger.company = company.pk
            elsewhere = replace(call, path={"company_id": company.pk, **call.path})
            names_a_row = "{" in operation.name or operation.of_project or company != other_account
            if names_a_row or operation.name.startswith(writes.NAMES_PROJECT):
                answer = watched.tried(stranger, operation, elsewhere)
                refused = answer.status_code in (403, 404, 405) or nothing_but_errors(answer)
                assert refused, (operation, company, answer.status_code, answer.content)
        watched.compare(operation)
    assert watched.nothing_changed()
