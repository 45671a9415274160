"""What a person can see at all."""

import pytest

from erpbridge.access.levels import Level, Tool
from erpbridge.access.models import Account, Membership, Project
from tests.factories import (
    AccountFactory,
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    UserFactory,
)


def seen_by(membership):
    return set(Project.objects.visible_to(membership))


def test_one_login_sees_all_its_accounts_and_no_other(db):
    user = UserFactory()
    mine = {MembershipFactory(user=user).account for _ in range(2)}
    AccountFactory()
    MembershipFactory(user=user, is_active=False)
    MembershipFactory(user=user, confirmed_at=None)
    assert set(Account.objects.visible_to(user)) == mine


def test_a_directory_admin_sees_every_project_of_the_account_and_none_of_another(
    account, project, other_project, ada
):
    assert seen_by(Membership.objects.get(user=ada)) == {project}


@pytest.mark.parametrize("tool", Tool)
def test_a_project_is_seen_as_soon_as_one_of_its_tools_is_open(db, tool):
    project_membership = ProjectMembershipFactory(**{tool.value: Level.READ_ONLY})
    ProjectFactory(account=project_membership.project.account)
    assert seen_by(project_membership.membership) == {project_membership.project}


def test_a_project_without_any_level_is_not_seen(db):
    project_membership = ProjectMembershipFactory(create_edit_companies=True)
    assert seen_by(project_membership.membership) == set()


def test_account_levels_below_directory_admin_show_no_project(account, project):
    membership = MembershipFactory(
        account=account,
        directory=Level.STANDARD,
        admin=Level.ADMIN,
        erp_integrations=Level.ADMIN,
    )
    assert seen_by(membership) == set()


def test_inactive_or_invited_people_and_inactive_logins_are_not_among_the_active(account):
    active = MembershipFactory(account=account)
    MembershipFactory(account=account, is_active=False)
    MembershipFactory(account=account, confirmed_at=None)
    MembershipFactory(account=account, user=UserFactory(is_active=False))
    assert list(Membership.objects.active().filter(account=account)) == [active]
