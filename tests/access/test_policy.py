"""The whole table of who may what: every action, level, tool and scope."""

from itertools import product

import pytest

from erpbridge.access import policy
from erpbridge.access.levels import Level, Tool
from erpbridge.access.models import Account, Membership, Project, ProjectMembership, User
from erpbridge.access.policy import RULES, Access, Answer, Scope

ACCOUNT, PROJECT = Account(pk=1, name="Harbor"), Project(pk=1, name="Pier 7")
HERE, IN_ACCOUNT = "here", "account"
DIRECTORY, ADMIN, ERP = Tool.DIRECTORY, Tool.ADMIN, Tool.ERP_INTEGRATIONS

ACCOUNT_ADMIN = [(IN_ACCOUNT, DIRECTORY, Level.ADMIN)]
READS_DIRECTORY = [(HERE, DIRECTORY, Level.READ_ONLY)]
DIRECTORY_ADMIN = [(HERE, DIRECTORY, Level.ADMIN)]
READS_ERP = [(HERE, ERP, Level.READ_ONLY), *DIRECTORY_ADMIN]
ERP_ADMIN = [(HERE, ERP, Level.ADMIN), *DIRECTORY_ADMIN]
# What is enough: any one of (where it is held, tool, least level).
TABLE = {
    "people.view": READS_DIRECTORY,
    "people.manage": ACCOUNT_ADMIN,
    "people.grant_approver": ACCOUNT_ADMIN,
    "account.configure": ACCOUNT_ADMIN,
    "settings.view": [
        (IN_ACCOUNT, DIRECTORY, Level.READ_ONLY),
        (IN_ACCOUNT, ADMIN, Level.READ_ONLY),
        (IN_ACCOUNT, ERP, Level.READ_ONLY),
    ],
    "projects.create": ACCOUNT_ADMIN,
    "project.configure": [(HERE, ADMIN, Level.ADMIN), *DIRECTORY_ADMIN],
    "companies.view": READS_DIRECTORY,
    "companies.view_inactive": DIRECTORY_ADMIN,
    "companies.edit": DIRECTORY_ADMIN,
    "companies.import": DIRECTORY_ADMIN,
    "companies.reactivate": DIRECTORY_ADMIN,
    "companies.send": DIRECTORY_ADMIN,
    "companies.retrieve": [*DIRECTORY_ADMIN, (IN_ACCOUNT, ERP, Level.ADMIN)],
    "codes.view": [(IN_ACCOUNT, ADMIN, Level.READ_ONLY)],
    "codes.edit": [(IN_ACCOUNT, ADMIN, Level.ADMIN)],
    "codes.send": [(IN_ACCOUNT, ADMIN, Level.ADMIN)],
    "codes.retrieve": [(IN_ACCOUNT, ADMIN, Level.ADMIN), (IN_ACCOUNT, ERP, Level.ADMIN)],
    "codes.assign_types": [(IN_ACCOUNT, ADMIN, Level.ADMIN), (IN_ACCOUNT, ERP, Level.STANDARD)],
    "codes.unlink": ACCOUNT_ADMIN,
    "codes.refresh_projects": ACCOUNT_ADMIN,
    "project_codes.view": [(HERE, ADMIN, Level.READ_ONLY), *DIRECTORY_ADMIN],
    "project_codes.edit": [(HERE, ADMIN, Level.ADMIN), *DIRECTORY_ADMIN],
    "project_wbs.view": [(HERE, ADMIN, Level.READ_ONLY), *DIRECTORY_ADMIN],
    "project_wbs.edit": [(HERE, ADMIN, Level.ADMIN), *DIRECTORY_ADMIN],
    "applications.manage": ACCOUNT_ADMIN,
    "items.view": READS_ERP,
    "items.accept": ERP_ADMIN,
    "items.import": ERP_ADMIN,
    "connection.view": [(IN_ACCOUNT, ERP, Level.READ_ONLY)],
    "connection.configure": [(IN_ACCOUNT, ERP, Level.ADMIN)],
    "links.unlink": ERP_ADMIN,
}
NEED_THE_FLAG = {"people.grant_approver", "items.accept", "items.import"}
GRANULAR = {"companies.edit", "companies.import"}


def access_of(*, account=None, project=None, in_project=False, flag=False, rights=None) -> Access:
    membership = Membership(can_push_to_accounting=flag, **(account or {}))
    on_project = ProjectMembership(**project) if project is not None else None
    access = Access(User(), Scope(ACCOUNT, PROJECT if in_project else None), membership, on_project)
    access.erp_rights = rights or {}
    return access


def enough(action: str, *, where: str, in_project: bool, tool: Tool, level: Level) -> bool:
    """Whether one level, held in one place, opens an action in a scope."""
    if where == IN_ACCOUNT and tool == DIRECTORY and level == Level.ADMIN:
        return True
    counts_here = where == ("project" if in_project else IN_ACCOUNT)
    return any(
        tool == needed and level >= least and (counts_here if place == HERE else where == place)
        for place, needed, least in TABLE[action]
    )


def test_the_table_names_every_action():
    assert set(TABLE) == set(RULES)


@pytest.mark.parametrize("flag", [False, True], ids=["without flag", "with flag"])
@pytest.mark.parametrize(
    ("where", "in_project"),
    [(IN_ACCOUNT, False), (IN_ACCOUNT, True), ("project", True)],
    ids=["account level in account", "account level in project", "project level in project"],
)
@pytest.mark.parametrize("action", RULES)
def test_every_level_of_every_tool_opens_what_the_table_says(action, where, in_project, flag):
    wrong = []
    for tool, level in product(Tool, Level):
        access = access_of(**{where: {tool.value: level}}, in_project=in_project, flag=flag)
        expected = enough(action, where=where, in_project=in_project, tool=tool, level=level)
        expected = expected and (flag or action not in NEED_THE_FLAG)
        answer = access.can(action, "vendor")
        if bool(answer) != expected or bool(answer.why) == expected:
            wrong.append((tool.label, level.label, answer))
    assert wrong == []


def test_account_directory_admin_is_admin_in_every_tool_of_every_project():
    access = access_of(account={"directory": Level.ADMIN}, in_project=True)
    assert {access.level(tool) for tool in Tool} == {Level.ADMIN}


def test_project_directory_admin_is_admin_in_every_tool_of_that_project_only():
    access = access_of(project={"directory": Level.ADMIN}, in_project=True)
    assert {access.level(tool) for tool in Tool} == {Level.ADMIN}
    assert {access.account_level(tool) for tool in Tool} == {Level.NONE}


@pytest.mark.parametrize("action", sorted(GRANULAR))
@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("where", [IN_ACCOUNT, "project"])
def test_create_and_edit_companies_adds_to_read_only_and_standard(action, level, where):
    levels = {"directory": level, "create_edit_companies": True}
    access = access_of(**{where: levels}, in_project=where == "project")
    assert bool(access.can(action)) == (level > Level.NONE)


def test_the_granular_right_of_the_account_does_not_reach_into_a_project():
    levels = {"directory": Level.STANDARD, "create_edit_companies": True}
    access = access_of(account=levels, project={"directory": Level.STANDARD}, in_project=True)
    assert not access.can("companies.edit")


def test_the_granular_right_sends_nothing():
    access = access_of(account={"directory": Level.STANDARD, "create_edit_companies": True})
    assert not access.can("companies.send")


@pytest.mark.parametrize(("action", "direction"), [("items.import", 0), ("items.accept", 1)])
def test_below_admin_an_approver_decides_only_for_the_ticked_record_types(action, direction):
    rights = {"vendor": (direction == 0, direction == 1)}
    levels = {"erp_integrations": Level.STANDARD}
    access = access_of(account=levels, flag=True, rights=rights)
    opposite = ({"items.import", "items.accept"} - {action}).pop()
    assert access.can(action, "vendor")
    assert not access.can(opposite, "vendor")
    assert not access.can(action, "cost_code")


def test_ticked_record_types_are_worth_nothing_without_the_flag_or_the_level():
    rights = {"vendor": (True, True)}
    reader = {"erp_integrations": Level.READ_ONLY}
    standard = {"erp_integrations": Level.STANDARD}
    assert not access_of(account=standard, rights=rights).can("items.accept", "vendor")
    assert not access_of(account=reader, rights=rights, flag=True).can("items.accept", "vendor")


def test_an_unknown_action_is_a_programming_error():
    with pytest.raises(KeyError):
        access_of().can("companies.burn")


def test_a_stranger_is_told_that_they_are_not_a_member(account, olga):
    answer = policy.can(olga, "people.view", Scope(account))
    assert answer == Answer(False, "You are not a member of this account.")


def test_an_inactive_membership_may_do_nothing(account, ada):
    Membership.objects.filter(user=ada).update(is_active=False)
    assert not policy.can(ada, "people.view", Scope(account))
