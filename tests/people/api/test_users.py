"""Users: the people of an account, read and managed under the rules of the page *People*."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from erpbridge.access.levels import Level
from erpbridge.access.models import Membership, ProjectMembership, User
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Levels
from erpbridge.audit.models import Event
from erpbridge.people.join_views import join_path
from tests.factories import MembershipFactory, ProjectMembershipFactory, UserFactory

VIEWS = ("ids_only", "compact", "normal", "extended")
VERSIONS = ["v1.0", "v1.1", "v1.2", "v1.3"]
# Procore's fields of a company user; ours are the last four.
LISTED = {
    *("address", "avatar", "business_id", "business_phone", "business_phone_extension", "city"),
    *("contact_id", "country_code", "created_at", "email_address", "email_signature"),
    *("employee_id", "erp_integrated_accountant", "fax_number", "first_name", "id", "initials"),
    *("is_active", "is_employee", "job_title", "last_activated_at", "last_login_at", "last_name"),
    *("mobile_phone", "name", "notes", "origin_id", "origin_data", "state_code", "updated_at"),
    *("welcome_email_sent_at", "zip", "work_classification_id", "party_id"),
    *("permission_template", "company_permission_template", "vendor"),
    *("login", "company_id", "permission_levels", "create_edit_companies"),
}
MORE = {
    *("default_permission_template_id", "company_permission_template_id", "locale"),
    *("is_insurance_manager", "add_to_new_projects"),
}
NEW = {"first_name": "Nia", "last_name": "New", "email_address": "Nia@Example.com"}


def of_company(api: Any, path: str = "", version: str = "v1.3") -> str:
    return f"/rest/{version}/companies/{api.company}/users{path}"


def create(api: Any, **given: Any) -> Any:
    return api.post(of_company(api), {"user": NEW | given})


def change(api: Any, user: User, **given: Any) -> Any:
    return api.patch(of_company(api, f"/{user.pk}"), {"user": given})


def sync(api: Any, *rows: dict[str, Any]) -> Any:
    # People are few, and each is stored by the service of the page.
    with zeal_ignore():
        return api.patch(of_company(api, "/sync"), {"updates": list(rows)}).json()


def test_a_user_without_a_first_name_is_called_by_the_last_one(api):
    response = api.post(
        of_company(api),
        {"user": {"last_name": "Newell", "email_address": "newell@example.com"}},
    )
    assert (response.status_code, response.json()["name"]) == (201, "Newell")


def names(response: Any) -> list[str]:
    return [user["name"] for user in response.json()]


def member(user: User, account: Any = None) -> Membership:
    memberships = Membership.objects.filter(user=user)
    return (memberships.filter(account=account) if account else memberships).get()


@pytest.fixture
def plain_admin(make_service):
    """A program that manages people, without the approver's privilege."""
    return make_service("HR", levels=Levels(directory=Level.ADMIN))


@pytest.fixture
def former_user(account) -> User:
    """Somebody who has left."""
    user = UserFactory.create(name="Gus Gone")
    MembershipFactory.create(user=user, account=account, is_active=False)
    return user


# --- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_users_are_listed_with_procores_fields(api, ada, pat, olga, version):
    response = api.get(of_company(api, "?sort=name", version))
    assert names(response) == ["Ada Admin", "Pat Approver"]
    assert response["Total"] == "2"
    user = response.json()[1]
    assert set(user) == LISTED
    assert {name: user[name] for name in ("id", "first_name", "last_name", "email_address")} == {
        "id": pat.pk,
        "first_name": "Pat",
        "last_name": "Approver",
        "email_address": "pat.approver@example.com",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_user_is_shown_at_both_addresses(api, pat, version):
    of_path = api.get(of_company(api, f"/{pat.pk}", version)).json()
    of_query = api.get(f"/rest/{version}/users/{pat.pk}?company_id={api.company}").json()
    assert of_path == of_query
    assert set(of_path) == LISTED | MORE


def test_the_approvers_flag_is_on_users_of_the_company_and_of_a_project(
    api, reader, pat, sam, project
):
    ProjectMembershipFactory.create(membership=member(pat), project=project, directory=1)
    for caller in (api, reader):
        for path in (of_company(api), f"projects/{project.pk}/users"):
            flags = {
                user["id"]: user["erp_integrated_accountant"] for user in caller.get(path).json()
            }
            assert (flags[pat.pk], flags[sam.pk]) == (True, False)


def test_views_of_users(api, ada, sam, project):
    for path in (of_company(api), f"projects/{project.pk}/users"):
        users = {view: api.get(f"{path}?view={view}").json()[-1] for view in VIEWS}
        assert users["ids_only"] == sam.pk
        assert set(users["compact"]) == {"id", "name", "first_name", "last_name"}
        assert (set(users["normal"]), set(users["extended"])) == (LISTED, LISTED | MORE)
    assert api.get(of_company(api, "?view=secret")).status_code == 400


def test_passwords_and_service_accounts_are_never_shown(api, ada, sam):
    text = api.get(of_company(api, "?view=extended")).content.decode()
    assert "password" not in text
    assert ada.password not in text
    assert "service.invalid" not in text
    own = api.get("me").json()["id"]
    assert api.get(of_company(api, f"/{own}")).status_code == 404
    assert api.get(f"companies/{api.company}/me").json()["id"] == own


def test_me_has_the_fields_of_a_user(api):
    assert set(api.get(f"/rest/v1.3/companies/{api.company}/me").json()) >= LISTED - {
        "create_edit_companies"
    }


def test_inactive_users_have_a_list_of_their_own(api, ada, former_user):
    assert names(api.get(of_company(api))) == ["Ada Admin"]
    assert names(api.get(of_company(api, "/inactive", "v1.0"))) == ["Gus Gone"]
    assert names(api.get("users?sort=name")) == ["Ada Admin", "Gus Gone"]
    assert names(api.get("users?filters[active]=false")) == ["Gus Gone"]
    assert api.get(of_company(api, f"/{former_user.pk}")).json()["is_active"] is False
    again = api.patch(of_company(api, f"/inactive/{former_user.pk}", "v1.0"))
    assert (again.status_code, again.json()["is_active"]) == (200, True)
    assert api.patch(of_company(api, f"/inactive/{former_user.pk}", "v1.0")).status_code == 404


def test_filters_of_users(api, ada, pat, sam):
    Membership.objects.filter(user=sam).update(origin_id="HR-7", job_title="Estimator")
    for query, expected in (
        (f"filters[id][]={pat.pk}", [pat]),
        ("filters[origin_id]=HR-7", [sam]),
        ("filters[search]=estim", [sam]),
        ("filters[search]=pat.approver@", [pat]),
        ("filters[search_by_full_name]=ada", [ada]),
        ("filters[erp_integrated_accountant]=true", [ada, pat]),
        ("filters[employee]=false", []),
        ("filters[vendor_id]=5", []),
        ("filters[updated_at]=2020-01-01...2020-12-31", []),
        ("filters[created_at]=2020-01-01...2120-12-31", [ada, pat, sam]),
    ):
        ids = api.get(of_company(api, f"?view=ids_only&{query}")).json()
        assert ids == [user.pk for user in expected], query
    assert api.get(of_company(api, "?filters[vendor_id]=x")).status_code == 400
    sorted_down = api.get(of_company(api, "?view=ids_only&sort=-job_title,email")).json()
    assert sorted_down == [sam.pk, ada.pk, pat.pk]


def test_a_membership_elsewhere_says_nothing_here(api, olga, other_account, account):
    """A user of two accounts has in each account the fields that were set there."""
    MembershipFactory.create(user=olga, account=account, job_title="Guest")
    Membership.objects.filter(user=olga, account=other_account).update(job_title="Owner")
    user = api.get(of_company(api, f"/{olga.pk}")).json()
    assert (user["job_title"], user["erp_integrated_accountant"]) == ("Guest", False)
    assert api.get(of_company(api, "?filters[search]=owner")).json() == []


def test_a_page_of_many_users_takes_a_fixed_number_of_queries(api, account, project):
    for _ in range(30):
        row = MembershipFactory.create(account=account)
        ProjectMembershipFactory.create(membership=row, project=project, directory=1)
    for path in (of_company(api), f"/rest/v1.0/projects/{project.pk}/users"):
        for view in VIEWS:
            counts = []
            for size in (5, 25):
                with CaptureQueriesContext(database) as made:
                    assert len(api.get(f"{path}?per_page={size}&view={view}").json()) == size
                counts.append(len(made))
            assert counts[0] == counts[1], (path, view)


# --- who may --------------------------------------------------------------------------------


def test_strangers_see_nothing_and_readers_change_nothing(reader, stranger, make_service, sam):
    outsider = make_service("Codes only", levels=Levels(admin=Level.ADMIN))
    own = of_company(stranger, f"/{sam.pk}")
    stranger.company = None
    user_path = of_company(reader, f"/{sam.pk}")
    for method, path, body in [
        ("GET", of_company(reader), None),
        ("GET", user_path, None),
        ("POST", of_company(reader), {"user": NEW}),
        ("PATCH", user_path, {"user": {"job_title": "x"}}),
        ("PATCH", of_company(reader, "/sync"), {"updates": []}),
    ]:
        assert stranger(method, path, body).status_code == 404
        assert outsider(method, path, body).status_code == 403
        assert reader(method, path, body).status_code == (200 if method == "GET" else 403)
    assert stranger.get(own).status_code == 404
    assert stranger.patch(own, {"user": {"job_title": "x"}}).status_code == 404
    assert member(sam).job_title == ""


@pytest.mark.parametrize("wanted", [True, False])
def test_only_an_approver_who_manages_people_sets_the_flag(api, plain_admin, pat, sam, wanted):
    user = sam if wanted else pat
    refused = change(plain_admin, user, job_title="x", erp_integrated_accountant=wanted)
    assert refused.status_code == 403
    assert "may grant it" in refused.json()["message"]
    assert member(user).can_push_to_accounting is not wanted
    assert member(user).job_title == ""
    body = sync(plain_admin, {"id": user.pk, "erp_integrated_accountant": wanted})
    assert list(body["errors"][0]["errors"]) == ["erp_integrated_accountant"]
    assert create(plain_admin, erp_integrated_accountant=True).status_code == 403
    assert not User.objects.filter(email="nia@example.com").exists()
    set_ = change(api, user, erp_integrated_accountant=wanted)
    assert set_.json()["erp_integrated_accountant"] is wanted
    assert member(user).can_push_to_accounting is wanted


def test_a_flag_that_stays_needs_no_privilege(plain_admin, pat):
    response = change(plain_admin, pat, job_title="Controller", erp_integrated_accountant=True)
    assert (response.status_code, response.json()["job_title"]) == (200, "Controller")
    response = change(plain_admin, pat, erp_integrated_accountant=None)
    assert response.json()["erp_integrated_accountant"] is True


def test_the_flag_changes_nothing_else_of_an_approver(api, pat):
    row = member(pat)
    row.erp_rights.create(entity="company", can_export=True)
    Membership.objects.filter(pk=row.pk).update(erp_digest=False)
    change(api, pat, erp_integrated_accountant=False)
    change(api, pat, erp_integrated_accountant=True)
    row.refresh_from_db()
    assert (row.erp_digest, row.erp_rights.get(entity="company").can_export) == (False, True)


def test_the_last_directory_admin_stays(api, ada):
    last = change(api, ada, permission_levels={"directory": "Read Only"})
    assert (last.status_code, list(last.json()["errors"])) == (422, ["permission_levels"])
    inactive = change(api, ada, is_active=False)
    assert (inactive.status_code, list(inactive.json()["errors"])) == (422, ["is_active"])
    flag = change(api, ada, erp_integrated_accountant=False)
    assert (flag.status_code, list(flag.json()["errors"])) == (422, ["base"])


# --- adding ---------------------------------------------------------------------------------


def test_a_new_user_has_a_login_without_a_password(api, account):
    response = create(
        api,
        job_title="Estimator",
        origin_id="HR-9",
        erp_integrated_accountant=True,
        permission_levels={"directory": "Read Only", "erp_integrations": "standard"},
        create_edit_companies=True,
    )
    assert response.status_code == 201
    assert (
        response.json().items()
        >= {
            "name": "Nia New",
            "email_address": "nia@example.com",
            "job_title": "Estimator",
            "origin_id": "HR-9",
            "is_active": True,
            "erp_integrated_accountant": True,
            "create_edit_companies": True,
        }.items()
    )
    assert response.json()["permission_levels"] == {
        "directory": "Read Only",
        "admin": "None",
        "erp_integrations": "Standard",
    }
    row = Membership.objects.get(user__email="nia@example.com", account=account)
    assert not row.user.has_usable_password()
    assert (row.is_confirmed, row.approving.possible) == (True, True)
    assert "http" not in response.content.decode(), "links are handed out on the page"
    assert people_services.may_invite(row)


def test_the_name_of_a_new_user_is_stored_in_one_line(api):
    response = create(api, first_name="Ni\u00ada\nMay", last_name="\u200bNe\u0301w\u00a0")
    assert (response.status_code, response.json()["name"]) == (201, "Nia May Néw")
    turned = create(api, last_name="\u202eweN", email_address="nina@example.com")
    assert (turned.status_code, list(turned.json()["errors"])) == (422, ["last_name"])


def test_an_existing_login_is_let_in_by_its_link_alone(api, olga, account, client_of, ada):
    given = {"email_address": "OLGA.other@example.com", "permission_levels": {"directory": "Admin"}}
    response = create(api, **given)
    assert (response.status_code, response.json()["id"]) == (201, olga.pk)
    assert response.json()["name"] == "Olga Other", "a login keeps its person's name"
    row = member(olga, account)
    assert not row.is_confirmed
    assert row.join_nonce not in response.content.decode()
    home = f"/accounts/{account.pk}/people/"
    assert client_of(olga).get(home).status_code == 404
    # Nothing that is sent later lets her in either.
    change(api, olga, is_active=True, job_title="Guest")
    sync(api, {"id": olga.pk, "origin_id": "HR-1"})
    assert client_of(olga).get(home).status_code == 404
    row.refresh_from_db()
    client_of(olga).post(join_path(row))
    assert client_of(olga).get(home).status_code == 200


@pytest.mark.parametrize(
    "field, value",
    [
        ("email_address", ""),
        ("email_address", None),
        ("email_address", "no address"),
        ("email_address", "x" * 250 + "@example.com"),
        ("email_address", "ada.admin@example.com"),
        ("last_name", ""),
        ("last_name", "x" * 151),
        ("last_name", "x" * 149),
        ("last_name", "a\u202eb"),
        ("first_name", ["x"]),
        ("job_title", "x" * 101),
        ("is_active", "maybe"),
        ("erp_integrated_accountant", "maybe"),
        ("permission_levels", "Admin"),
        ("permission_levels", {"budget": "Admin"}),
        ("permission_levels", {"directory": "Owner"}),
        ("permission_levels", {"directory": {}}),
        ("origin_id", "x" * 201),
        ("origin_id", "TAKEN"),
        ("origin_data", "x" * 10_001),
    ],
)
def test_what_cannot_be_is_422_and_names_the_field(api, ada, field, value):
    Membership.objects.filter(user=ada).update(origin_id="TAKEN")
    response = create(api, **{field: value})
    assert (response.status_code, list(response.json()["errors"])) == (422, [field])
    assert names(api.get(of_company(api))) == ["Ada Admin"]


def test_a_service_account_cannot_be_added_as_a_user(api):
    login = api.get("me").json()["login"]
    response = create(api, email_address=login)
    assert (response.status_code, list(response.json()["errors"])) == (422, ["email_address"])


def test_a_call_without_a_user_is_400(api):
    assert api.post(of_company(api), {"first_name": "Nia"}).status_code == 400


# --- changing -------------------------------------------------------------------------------


def test_a_change_keeps_what_was_not_sent_and_stands_in_the_history(api, account, sam):
    before = api.get(of_company(api, f"/{sam.pk}")).json()
    response = change(
        api, sam, job_title="Buyer", origin_id="HR-7", permission_levels={"admin": "None"}
    )
    expected = before | {"job_title": "Buyer", "origin_id": "HR-7"}
    assert response.json() | {"updated_at": ""} == expected | {"updated_at": ""}
    assert api.get(of_company(api, f"/{sam.pk}")).json() == response.json()
    row = member(sam)
    events = Event.objects.about(account.pk, "person", row.pk)
    made = {label for event in events for label in event.data["changes"]}
    assert made == {"Job title", "Origin ID"}


def test_what_was_read_can_be_sent_back(api, ada, pat, sam, account):
    """Nothing changes, and nothing is recorded."""
    for user in (ada, pat, sam):
        body = api.get(of_company(api, f"/{user.pk}")).json()
        response = change(api, user, **body)
        assert (response.status_code, response.json()) == (200, body)
    assert not Event.objects.filter(account=account, entity="person").exists()


def test_the_name_and_the_address_are_the_persons(api, sam):
    for field, value in (
        ("first_name", "Samuel"),
        ("last_name", "Other"),
        ("email_address", "other@example.com"),
    ):
        response = change(api, sam, **{field: value})
        assert (response.status_code, list(response.json()["errors"])) == (422, [field])
    sam.refresh_from_db()
    assert (sam.name, sam.email) == ("Sam Standard", "sam.standard@example.com")


def test_a_change_of_a_state_that_has_passed_is_412(api, sam):
    path = of_company(api, f"/{sam.pk}")
    tag = api.get(path)["ETag"]
    assert api.patch(path, {"user": {"job_title": "a"}}, If_Match=tag).status_code == 200
    assert api.patch(path, {"user": {"job_title": "b"}}, If_Match=tag).status_code == 412
    assert member(sam).job_title == "a"


def test_deactivating_shuts_a_user_out(api, sam, client_of, account):
    response = change(api, sam, is_active=False)
    assert response.json()["is_active"] is False
    assert client_of(sam).get(f"/accounts/{account.pk}/people/").status_code == 404


def test_changed_users_are_found_by_their_time(api, sam, ada):
    Membership.objects.update(updated_at="2026-01-01T00:00:00Z")
    change(api, sam, job_title="Buyer")
    matches = api.get(of_company(api, "?filters[updated_at]=2026-01-02...2126-01-01")).json()
    assert [match["id"] for match in matches] == [sam.pk]


# --- sync -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["users/sync", "/rest/v1.3/companies/{}/users/sync"])
def test_users_are_synced_by_id_and_by_origin_id(api, ada, sam, former_user, path):
    Membership.objects.filter(user=former_user).update(origin_id="HR-3")
    rows = [
        {"id": sam.pk, "origin_id": "HR-7", "job_title": "Buyer"},
        {"origin_id": "HR-3", "is_active": True},
        {"origin_id": "HR-8", **NEW},
        {"origin_id": "HR-8", "job_title": "Estimator"},
        {"id": 10**6, "job_title": "Nobody"},
        {"last_name": "Twice", "email_address": "ada.admin@example.com"},
        {"id": ada.pk, "origin_id": "HR-7"},
        {"id": ada.pk, "is_active": False},
    ]
    # People are few, and each is stored by the service of the page.
    with zeal_ignore():
        body = api.patch(
            path.format(api.company), {"company_id": api.company, "updates": rows}
        ).json()
    assert [entity["name"] for entity in body["entities"]] == [
        *("Sam Standard", "Gus Gone", "Nia New", "Nia New"),
    ]
    assert [list(error["errors"]) for error in body["errors"]] == [
        *(["id"], ["email_address"], ["origin_id"], ["is_active"]),
    ]
    assert body["entities"][1]["is_active"] is True
    assert body["entities"][3]["job_title"] == "Estimator"


def test_ids_of_users_are_not_those_of_memberships(api, account, sam):
    """A sync names the login's id, as every other address does."""
    other = MembershipFactory.create(pk=sam.pk + 1000, account=account)
    body = sync(api, {"id": other.pk, "job_title": "x"})
    assert body["errors"][0]["errors"] == {"id": ["Entity with this ID not found"]}


def test_rows_that_change_nothing_cost_nothing(api, account):
    members = [MembershipFactory.create(account=account) for _ in range(200)]
    rows = [{"id": membership.user_id, "is_active": True} for membership in members]
    counts = []
    for size in (20, 200):
        with CaptureQueriesContext(database) as made:
            assert len(sync(api, *rows[:size])["entities"]) == size
        counts.append(len(made))
    # A savepoint for each row, and its release.
    # More than a hundred rows are a second batch, which locks and looks up for itself.
    assert counts[1] - counts[0] <= 2 * 180 + 10


# --- on projects ----------------------------------------------------------------------------


def test_users_of_a_project_have_the_levels_they_hold_there(api, ada, sam, pat, project):
    users = api.get(f"projects/{project.pk}/users").json()
    assert [user["id"] for user in users] == [sam.pk]
    assert users[0]["permission_levels"]["directory"] == "Standard"
    assert set(users[0]) == LISTED
    assert api.get(f"projects/{project.pk}/users/{sam.pk}").status_code == 200
    assert api.get(f"projects/{project.pk}/users/{pat.pk}").status_code == 404


def test_a_user_is_put_on_a_project_and_taken_off(api, pat, project):
    path = f"projects/{project.pk}/users/{pat.pk}"
    added = api.post(f"{path}/actions/add", {"user": {"permission_template_id": 5}})
    assert (added.status_code, added.json()["id"]) == (201, pat.pk)
    assert added.json()["permission_levels"]["directory"] == "Read Only"
    given = {"user": {"permission_levels": {"directory": "None", "admin": "Standard"}}}
    assert api.post(f"{path}/actions/add", given).status_code == 201
    again = api.post(f"{path}/actions/add")
    assert (again.status_code, again.json()["permission_levels"]) == (
        201,
        {"directory": "None", "admin": "Standard", "erp_integrations": "None"},
    )
    assert member(pat).directory == Level.READ_ONLY, "the account's levels stay"
    assert api.delete(f"{path}/actions/remove").status_code == 204
    assert api.delete(f"{path}/actions/remove").status_code == 404
    assert api.get(of_company(api, f"/{pat.pk}")).status_code == 200
    assert not ProjectMembership.objects.filter(membership=member(pat)).exists()


def test_levels_on_a_project_change_by_patch(api, sam, project):
    path = f"projects/{project.pk}/users/{sam.pk}"
    response = api.patch(
        path, {"user": {"permission_levels": {"admin": "Admin"}, "job_title": "PM"}}
    )
    assert response.json()["permission_levels"] == {
        "directory": "Standard",
        "admin": "Admin",
        "erp_integrations": "None",
    }
    assert (member(sam).admin, member(sam).job_title) == (Level.NONE, "PM")
    nothing = {"directory": "None", "admin": "None"}
    for method, address in ((api.patch, path), (api.post, f"{path}/actions/add")):
        response = method(address, {"user": {"permission_levels": nothing}})
        assert (response.status_code, list(response.json()["errors"])) == (
            422,
            ["permission_levels"],
        )
    assert ProjectMembership.objects.get(membership=member(sam)).admin == Level.ADMIN


def test_a_new_user_of_a_project_is_the_companys_too(api, project):
    response = api.post(f"projects/{project.pk}/users", {"user": NEW})
    assert (response.status_code, response.json()["name"]) == (201, "Nia New")
    assert response.json()["permission_levels"]["directory"] == "Read Only"
    assert names(api.get(f"projects/{project.pk}/users")) == ["Nia New"]
    assert "Nia New" in names(api.get(of_company(api)))
    assert Membership.objects.get(user__name="Nia New").directory == Level.NONE


def test_inactive_users_of_a_project(api, sam, project):
    change(api, sam, is_active=False)
    assert api.get(f"projects/{project.pk}/users").json() == []
    assert names(api.get(f"projects/{project.pk}/users/inactive")) == ["Sam Standard"]
    assert api.post(f"projects/{project.pk}/users/{sam.pk}/actions/add").status_code == 404
    again = api.patch(f"projects/{project.pk}/users/inactive/{sam.pk}")
    assert again.json()["is_active"] is True


def test_readers_of_a_project_change_nothing_and_strangers_see_nothing(
    reader, stranger, sam, pat, project, other_project
):
    user_path = f"projects/{project.pk}/users/{sam.pk}"
    assert reader.get(user_path).status_code == 200
    for method, path in [
        ("POST", f"projects/{project.pk}/users"),
        ("PATCH", user_path),
        ("POST", f"projects/{project.pk}/users/{pat.pk}/actions/add"),
        ("DELETE", f"{user_path}/actions/remove"),
    ]:
        assert reader(method, path, {"user": NEW}).status_code == 403
        assert stranger(method, path, {"user": NEW}).status_code == 404
    assert (
        stranger.post(f"projects/{other_project.pk}/users/{sam.pk}/actions/add").status_code == 404
    )
    assert not member(sam).projects.filter(project=other_project).exists()


def test_what_an_integrator_keeps_with_a_user_is_shown_again(api):
    made = create(api, origin_id="U-1", origin_data="from payroll").json()
    assert (made["origin_id"], made["origin_data"]) == ("U-1", "from payroll")
    plain = create(api, email_address="other@example.com").json()
    assert (plain["origin_id"], plain["origin_data"]) == (None, None)
