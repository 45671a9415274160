"""The frame: what a person finds around every page, and where the first page leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import resolve

from erpbridge.access import policy
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Project, User
from erpbridge.ui.navigation import MOST_IN_SWITCHER, Frame, Link
from tests.factories import (
    MembershipFactory,
    ProjectFactory,
    ProjectMembershipFactory,
    UserFactory,
)

SignIn = Callable[[User], Client]


def frame_of(user: User, account: Account, project: Project | None = None) -> Frame:
    path = (
        f"/accounts/{account.pk}/projects/"
        if project is None
        else (f"/accounts/{account.pk}/projects/{project.pk}/settings/")
    )
    request: HttpRequest = RequestFactory().get(path)
    request.user = user
    request.resolver_match = resolve(path)
    request.access = policy.load(user, account, project)  # type: ignore[attr-defined]
    return Frame(request)


def labels(links: list[Link]) -> list[str]:
    return [link.label for link in links]


def test_an_admin_finds_all_tools_of_the_account(ada: User, account: Account) -> None:
    assert labels(frame_of(ada, account).account_tools) == [
        "Directory",
        "Admin",
        "Work Breakdown Structure",
        "ERP Integrations",
        "Projects",
        "People",
        "API access",
        "Account settings",
    ]


def test_a_standard_user_finds_neither_erp_nor_settings(sam: User, account: Account) -> None:
    assert labels(frame_of(sam, account).account_tools) == [
        "Directory",
        "Admin",
        "Projects",
        "People",
    ]


def test_the_admin_page_lists_the_settings_by_right(
    client_of: SignIn, ada: User, account: Account
) -> None:
    admin = f"/accounts/{account.pk}/admin/"
    expected = {
        "directory": ["People and permissions"],
        "admin": ["Work Breakdown Structure", "Cost types"],
        "erp_integrations": ["ERP connection"],
    }
    for tool, names in expected.items():
        user = UserFactory.create()
        MembershipFactory.create(user=user, account=account, **{tool: Level.READ_ONLY})
        assert [setting.label for setting, _href in listed(client_of(user), admin)] == names
    everything = listed(client_of(ada), admin)
    assert [setting.label for setting, _href in everything] == [
        "Work Breakdown Structure",
        "Cost types",
        "Directory settings",
        "People and permissions",
        "ERP connection",
        "API access",
        "Account",
    ]
    # Each opens, and its breadcrumbs lead back.
    for _setting, href in everything:
        page = client_of(ada).get(href)
        assert page.status_code == 200
        assert f'<a href="{admin}">Admin</a>' in page.text, href
        assert f'<a href="{admin}#company-settings">Company Settings</a>' in page.text, href


def listed(client: Client, address: str) -> list[Any]:
    settings: list[Any] = client.get(address).context["settings"]
    return settings


def test_nobody_without_a_tool_of_the_account_finds_its_admin_page(
    client_of: SignIn, account: Account, project: Project
) -> None:
    user = UserFactory.create()
    membership = MembershipFactory.create(user=user, account=account)
    ProjectMembershipFactory.create(membership=membership, project=project, directory=Level.ADMIN)
    assert client_of(user).get(f"/accounts/{account.pk}/admin/").status_code == 403


def test_account_tools_stay_the_accounts_inside_a_project(
    ada: User, account: Account, project: Project
) -> None:
    frame = frame_of(ada, account, project)
    tools = ["Directory", "Work Breakdown Structure", "ERP Integrations", "Project settings"]
    assert labels(frame.project_tools) == tools
    assert labels(frame.account_tools) == labels(frame_of(ada, account).account_tools)


def test_the_menu_marks_the_tool_of_the_page(ada: User, account: Account, project: Project) -> None:
    current = frame_of(ada, account).current_tool
    assert current is not None
    assert current.label == "Projects"
    inside = frame_of(ada, account, project).current_tool
    assert inside is not None
    assert inside.label == "Project settings"


def test_the_project_switcher_offers_only_active_projects_open_to_the_person(
    sam: User, account: Account, project: Project
) -> None:
    ProjectFactory.create(account=account, name="Closed to Sam")
    assert frame_of(sam, account).projects == [project]
    Project.objects.update(is_active=False)
    assert frame_of(sam, account).projects == []


def test_too_many_projects_become_a_link_to_the_list(ada: User, account: Account) -> None:
    ProjectFactory.create_batch(MOST_IN_SWITCHER + 1, account=account)
    frame = frame_of(ada, account)
    html = render_to_string("parts/topbar.html", {"frame": frame})
    assert frame.many_projects
    assert "Find a project" in html
    assert frame.projects_href in html
    assert "Project 1" not in html


def test_one_account_is_entered_at_once(sam: User, account: Account, client_of: SignIn) -> None:
    signed_in = client_of(sam)
    answer = signed_in.get("/")
    assert answer.url == f"/accounts/{account.pk}/"  # type: ignore[attr-defined]
    first = signed_in.get(answer.url)  # type: ignore[attr-defined]
    assert first.url == f"/accounts/{account.pk}/directory/companies/"  # type: ignore[attr-defined]


def test_an_approver_without_directory_starts_in_erp_integrations(
    account: Account, client_of: SignIn
) -> None:
    approver = UserFactory.create()
    MembershipFactory.create(user=approver, account=account, approver=True)
    answer = client_of(approver).get(f"/accounts/{account.pk}/")
    assert answer.url == f"/accounts/{account.pk}/erp/companies/"  # type: ignore[attr-defined]


def test_several_accounts_are_a_choice(
    ada: User, account: Account, other_account: Account, client_of: SignIn
) -> None:
    MembershipFactory.create(user=ada, account=other_account)
    page = client_of(ada).get("/")
    assert "Choose an account" in page.text
    assert account.name in page.text
    assert other_account.name in page.text


def test_a_person_without_an_account_is_told_what_to_do(db: None, client_of: SignIn) -> None:
    assert "you do not belong to an account yet" in client_of(UserFactory.create()).get("/").text


def test_who_only_reads_the_admin_tool_of_a_project_starts_at_its_work_breakdown_structure(
    sam: User, account: Account, project: Project, client_of: SignIn
) -> None:
    project_membership = sam.memberships.get().projects.get()
    project_membership.directory, project_membership.admin = Level.NONE, Level.READ_ONLY
    project_membership.save()
    home = f"/accounts/{account.pk}/projects/{project.pk}/"
    assert client_of(sam).get(home).headers["Location"] == f"{home}wbs/"


def test_another_account_answers_404_inside_the_frame(
    olga: User, account: Account, client_of: SignIn
) -> None:
    page = client_of(olga).get(f"/accounts/{account.pk}/")
    assert page.status_code == 404
    assert "Page not found" in page.text
    assert account.name not in page.text


def test_a_refusal_gives_its_reason(sam: User, account: Account, client_of: SignIn) -> None:
    page = client_of(sam).get(f"/accounts/{account.pk}/settings/")
    assert page.status_code == 403
    assert "Needs Admin on the account&#x27;s Directory tool." in page.text


@pytest.mark.parametrize("name", ["400.html", "500.html"])
def test_pages_of_last_resort_need_no_context(name: str) -> None:
    assert "Go to the start page" in render_to_string(name)


def test_the_login_page_says_nothing_about_which_half_was_wrong(ada: User, client: Client) -> None:
    page = client.post("/login/", {"username": ada.email, "password": "wrong"})
    assert "Not logged in" in page.text


def test_demo_mode_is_said_loudly(client: Client, db: None, settings: Any) -> None:
    assert "passwords are public" not in client.get("/login/").text
    settings.MODE = "demo"
    assert "passwords are public" in client.get("/login/").text
