"""Who is called an approver, and what somebody with the flag still lacks."""

from __future__ import annotations

import re
from itertools import product

import pytest
from django.db import connection as db
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, ErpRight, Membership, Project
from erpbridge.access.record_types import entity_choices
from erpbridge.access.services import partial_update
from erpbridge.access.services.approver_status import NO_LEVEL, NO_TYPE
from tests.factories import MembershipFactory, ProjectMembershipFactory

TYPES = [entity for entity, _label in entity_choices()]


def person(account: Account, *types: str, **fields) -> Membership:
    """Somebody with the flag who may export the record types."""
    made = MembershipFactory.create(account=account, can_push_to_accounting=True, **fields)
    for entity in types:
        ErpRight.objects.create(membership=made, entity=entity, can_export=True)
    return Membership.objects.get(pk=made.pk)


def can_approve(membership: Membership, project: Project) -> bool:
    """What the policy answers, in the account or on the project."""
    scopes = [
        policy.load(membership.user, membership.account, scope_project)
        for scope_project in (None, project)
    ]
    return any(scope.can("items.accept", entity) for scope in scopes for entity in TYPES)


def test_whoever_is_called_an_approver_can_approve_and_nobody_else(account, project):
    levels = (Level.NONE, Level.READ_ONLY, Level.STANDARD, Level.ADMIN)
    directory = (Level.NONE, Level.ADMIN)
    answers = {}
    for flag, here, there, types, admin in product(
        (True, False), levels, levels, ((), TYPES[:1]), directory
    ):
        made = person(account, *types, erp_integrations=here, directory=admin)
        Membership.objects.filter(pk=made.pk).update(can_push_to_accounting=flag)
        ProjectMembershipFactory.create(membership=made, project=project, erp_integrations=there)
        reloaded = Membership.objects.get(pk=made.pk)
        answers[flag, here, there, types == (), admin] = (
            reloaded.approving.possible,
            can_approve(reloaded, project),
        )
        if flag:
            assert reloaded.approving.possible != bool(reloaded.approving.missing)
    assert [case for case, (called, allowed) in answers.items() if called != allowed] == []
    assert {allowed for _called, allowed in answers.values()} == {True, False}


@pytest.mark.parametrize(
    ("fields", "types", "words"),
    [
        ({}, TYPES, NO_LEVEL),
        ({"erp_integrations": Level.READ_ONLY}, TYPES, NO_LEVEL),
        ({"erp_integrations": Level.STANDARD}, [], NO_TYPE),
        (
            {"erp_integrations": Level.STANDARD},
            ["vendor"],
            "Only of these record types: Companies.",
        ),
    ],
    ids=["no level", "too low a level", "no record type", "one record type"],
)
def test_the_page_of_a_person_says_what_is_missing(client_of, ada, account, fields, types, words):
    made = person(account, *types, **fields)
    page = client_of(ada).get(reverse("access:person", args=[account.pk, made.pk])).text
    assert words in page
    badge = re.search(r"</svg>\s*Approver</span>", page)
    assert bool(badge) == made.approving.possible
    people = client_of(ada).get(reverse("access:people", args=[account.pk]), {"q": str(made)}).text
    assert ("Not yet an approver" in people) != made.approving.possible


STANDARD, ADMIN = {"erp_integrations": Level.STANDARD}, {"erp_integrations": Level.ADMIN}
ONLY_TYPES = "of these record types: Companies"
ONLY_PROJECTS = "on projects where they hold Standard or Admin on ERP Integrations"


@pytest.mark.parametrize(
    ("here", "there", "types", "only"),
    [
        (STANDARD, {}, TYPES, ""),
        (STANDARD, {}, ["vendor"], f"Only {ONLY_TYPES}."),
        (ADMIN, {}, ["vendor"], ""),
        (STANDARD, ADMIN, ["vendor"], ""),
        ({}, ADMIN, [], f"Only {ONLY_PROJECTS}."),
        ({}, STANDARD, TYPES, f"Only {ONLY_PROJECTS}."),
        ({}, STANDARD, ["vendor"], f"Only {ONLY_PROJECTS}, and {ONLY_TYPES}."),
    ],
)
def test_what_narrows_an_approver_is_told(account, project, here, there, types, only):
    made = person(account, *types, **here)
    ProjectMembershipFactory.create(membership=made, project=project, **there)
    assert (made.approving.possible, made.approving.missing) == (True, "")
    assert made.approving.only == only


def test_an_approver_of_one_project_is_told_as_such(account, project):
    made = person(account)
    ProjectMembershipFactory.create(membership=made, project=project, erp_integrations=Level.ADMIN)
    assert made.approving.possible
    assert made.approving.only.startswith("Only on projects where they hold Standard or Admin")


def test_granting_the_flag_over_rest_ticks_every_record_type_unless_one_is(account, ada):
    by = policy.load(ada, account)
    for before, after in (((), set(TYPES)), (("vendor",), {"vendor"})):
        made = person(account, *before, erp_integrations=Level.STANDARD)
        Membership.objects.filter(pk=made.pk).update(can_push_to_accounting=False)
        partial_update.amend(made.pk, values={}, can_push=True, by=by)
        ticked = ErpRight.objects.filter(membership=made, can_export=True)
        assert set(ticked.values_list("entity", flat=True)) == after


def test_the_list_of_people_costs_the_same_with_many_approvers(client_of, ada, account):
    counts = []
    for _round in range(2):
        for _number in range(5):
            person(account, "vendor", erp_integrations=Level.STANDARD)
        with CaptureQueriesContext(db) as asked:
            client_of(ada).get(reverse("access:people", args=[account.pk]))
        counts.append(len(asked))
    assert counts[0] == counts[1]
