"""The pages of people, projects and account settings, for each of the cast."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, Project
from erpbridge.audit.models import Event
from tests.factories import MembershipFactory, ProjectFactory, ProjectMembershipFactory

HUGE = 99999999999999999999
LEVELS = {"directory": "1", "admin": "0", "erp_integrations": "2"}


@pytest.fixture
def url_of(account, sam, project):
    """The address of a page by its URL name; a page of a person is Sam's."""

    def address(name: str, **changed: int) -> str:
        ids = {"account_id": account.pk}
        if name in {"person", "person_projects", "person_invitation"}:
            ids["membership_id"] = Membership.objects.get(user=sam).pk
        if name == "project_settings":
            ids["project_id"] = project.pk
        return reverse(f"access:{name}", kwargs=ids | changed)

    return address


OPEN_TO = {
    "people": {"ada", "pat", "sam"},
    "person_add": {"ada"},
    "person": {"ada"},
    "person_projects": {"ada"},
    "account_settings": {"ada"},
    "projects": {"ada", "pat", "sam"},
    "project_add": {"ada"},
    "project_settings": {"ada"},
}


READ_ONLY = {"people", "projects"}


@pytest.mark.parametrize("who", ["ada", "pat", "sam", "olga"])
@pytest.mark.parametrize("name", OPEN_TO)
def test_each_page_opens_for_who_may_use_it(request, client_of, url_of, name, who):
    person = request.getfixturevalue(who)
    answer = client_of(person).get(url_of(name)).status_code
    # Pat has no level in the project, which is for her as if it did not exist.
    hidden = who == "olga" or (who == "pat" and name == "project_settings")
    assert answer == (200 if who in OPEN_TO[name] else 404 if hidden else 403)


@pytest.mark.parametrize("name", [*sorted(set(OPEN_TO) - READ_ONLY), "person_invitation"])
@pytest.mark.parametrize("who", ["pat", "sam", "olga"])
def test_the_server_refuses_what_the_page_hides(request, client_of, url_of, name, who):
    person = request.getfixturevalue(who)
    before = Event.objects.count()
    assert client_of(person).post(url_of(name), {"name": "x"}).status_code in {403, 404}
    assert Event.objects.count() == before


def test_the_list_links_to_people_only_for_who_manages_them(client_of, ada, pat, url_of):
    link = url_of("person")
    assert link in client_of(ada).get(url_of("people")).text
    assert link not in client_of(pat).get(url_of("people")).text


def test_a_deactivated_person_is_outside_at_once(client_of, sam, url_of):
    client = client_of(sam)
    assert client.get(url_of("people")).status_code == 200
    Membership.objects.filter(user=sam).update(is_active=False)
    assert client.get(url_of("people")).status_code == 404


# --- people ---------------------------------------------------------------------------------


def test_people_are_found_by_name_email_and_job_title(client_of, ada, account, url_of):
    MembershipFactory(user__name="Zoe Finder", account=account, job_title="Estimator")
    MembershipFactory(user__name="Yan Other", account=account)
    for words in ("zoe", "FINDER@example", "estim"):
        answer = client_of(ada).get(url_of("people"), {"q": words}).text
        assert "Zoe Finder" in answer
        assert "Yan Other" not in answer


def test_the_tabs_show_approvers_and_inactive_people(client_of, ada, pat, sam, url_of):
    Membership.objects.filter(user=sam).update(is_active=False)
    client = client_of(ada)
    inactive = client.get(url_of("people"), {"show": "inactive"}).text
    approvers = client.get(url_of("people"), {"show": "approvers"}).text
    assert "Sam Standard" in inactive
    assert "Pat Approver" not in inactive
    assert "Pat Approver" in approvers
    assert "Sam Standard" not in approvers


def test_the_approver_badge_needs_the_flag_and_the_level(client_of, ada, account, url_of):
    MembershipFactory(user__name="Flo Flag", account=account, can_push_to_accounting=True)
    answer = client_of(ada).get(url_of("people"), {"q": "Flo"}).text
    assert "Not yet an approver" in answer


def test_adding_somebody_shows_the_invitation_link_once(client_of, ada, url_of):
    client = client_of(ada)
    values = LEVELS | {"email": "new@example.com", "name": "Nia New"}
    answer = client.post(url_of("person_add"), values, follow=True)
    assert "Pass this link on" in answer.text
    again = client.get(answer.redirect_chain[-1][0])
    assert "Pass this link on" not in again.text
    assert "New invitation link" in again.text


def test_whoever_is_added_is_active_with_the_levels_given(client_of, ada, url_of):
    values = LEVELS | {"email": "new@example.com", "name": "Nia New"}
    client_of(ada).post(url_of("person_add"), values)
    nia = Membership.objects.active().get(user__email="new@example.com")
    assert (nia.directory, nia.admin, nia.erp_integrations) == (1, 0, 2)


def test_adding_a_login_of_another_account_shows_nothing_of_that_account(
    client_of, ada, olga, url_of
):
    values = LEVELS | {"email": olga.email, "name": "Whoever"}
    answer = client_of(ada).post(url_of("person_add"), values, follow=True)
    assert "Pass this link on" in answer.text
    assert "/join/" in answer.text
    assert "Ridge Builders" not in answer.text


def test_adding_somebody_twice_is_an_error_at_the_field(client_of, ada, sam, url_of):
    answer = client_of(ada).post(url_of("person_add"), LEVELS | {"email": sam.email, "name": "S"})
    assert "in the account already" in answer.text


def seen_on(client, address: str) -> str:
    context = client.get(address).context
    return context["levels"].seen if "levels" in context else context["seen"]


def test_saving_a_person_comes_back_with_the_change_in_the_history(client_of, ada, sam, url_of):
    client = client_of(ada)
    seen = seen_on(client, url_of("person"))
    values = LEVELS | {"is_active": "on", "job_title": "Clerk", "seen": seen}
    values |= {"approver-can_push_to_accounting": "on", "approver-export-vendor": "on"}
    answer = client.post(url_of("person"), values, follow=True)
    assert "Saved Sam Standard." in answer.text
    membership = Membership.objects.get(user=sam)
    assert (membership.job_title, membership.directory) == ("Clerk", Level.READ_ONLY)
    assert membership.can_push_to_accounting
    assert membership.erp_rights.get(entity="vendor").can_export
    assert "Companies: Can export" in answer.text


def test_the_second_of_two_admins_keeps_what_was_typed(client_of, ada, sam, url_of):
    client = client_of(ada)
    seen = seen_on(client, url_of("person"))
    values = LEVELS | {"is_active": "on", "seen": seen}
    client.post(url_of("person"), values | {"job_title": "First"})
    answer = client.post(url_of("person"), values | {"job_title": "Second"})
    assert "changed in the meantime" in answer.text
    assert 'value="Second"' in answer.text
    assert Membership.objects.get(user=sam).job_title == "First"
    again = values | {"job_title": "Second", "seen": answer.context["seen"]}
    client.post(url_of("person"), again)
    assert Membership.objects.get(user=sam).job_title == "Second"


def test_a_setting_that_does_nothing_yet_is_not_offered_and_stays_as_it_is(
    client_of, ada, sam, url_of
):
    client = client_of(ada)
    page = client.get(url_of("person")).text
    assert "digest" not in page
    assert "set the ERP&rsquo;s own ID of a record over the API" in page  # what Can import does
    values = LEVELS | {"seen": seen_on(client, url_of("person")), "is_active": "on"}
    client.post(url_of("person"), values)
    assert Membership.objects.get(user=sam).erp_digest


@pytest.fixture
def bea(account):
    """A Directory Admin without the approver's privilege."""
    return MembershipFactory(user__name="Bea Second", account=account, account_admin=True).user


def test_the_approver_part_is_disabled_with_the_reason(client_of, bea, url_of):
    answer = client_of(bea).get(url_of("person"))
    assert "Only somebody who can push to accounting may grant it." in answer.text
    assert all(field.field.disabled for field in answer.context["approver"])


def test_a_forged_approver_part_is_refused_by_the_server(client_of, bea, sam, url_of):
    client = client_of(bea)
    values = LEVELS | {"seen": seen_on(client, url_of("person")), "is_active": "on"}
    forged = values | {"approver-can_push_to_accounting": "on"}
    assert client.post(url_of("person"), forged).status_code == 403
    assert not Membership.objects.get(user=sam).can_push_to_accounting
    assert client.post(url_of("person"), values).status_code == 302


def test_levels_of_projects_are_saved_from_the_table(client_of, ada, sam, project, url_of):
    second = ProjectFactory(account=project.account)
    client = client_of(ada)
    values = {
        "seen": seen_on(client, url_of("person_projects")),
        "project": [project.pk, second.pk],
    }
    for edited in (project, second):
        values |= {f"project-{edited.pk}-{tool}": level for tool, level in LEVELS.items()}
    answer = client.post(url_of("person_projects"), values, follow=True)
    assert "Saved; 2 projects changed." in answer.text
    levels = Membership.objects.get(user=sam).projects.values_list("directory", "erp_integrations")
    assert set(levels) == {(1, 2)}
    values["seen"] = seen_on(client, url_of("person_projects"))
    values[f"project-{second.pk}-directory"] = Level.STANDARD
    answer = client.post(url_of("person_projects"), values, follow=True)
    assert "Saved; 1 project changed." in answer.text


def test_stale_project_levels_keep_what_was_typed(client_of, ada, sam, project, url_of):
    client = client_of(ada)
    values = {"seen": seen_on(client, url_of("person_projects")), "project": project.pk}
    values |= {f"project-{project.pk}-{tool}": level for tool, level in LEVELS.items()}
    client.post(url_of("person_projects"), values)
    answer = client.post(url_of("person_projects"), values | {f"project-{project.pk}-admin": "3"})
    assert "changed in the meantime" in answer.text
    assert answer.context["levels"].rows[0]["admin"].value() == "3"


# --- projects and account -------------------------------------------------------------------


def test_everybody_sees_the_projects_open_to_them(client_of, ada, sam, account, project, url_of):
    ProjectFactory(account=account, name="Hidden Quay")
    assert "Hidden Quay" in client_of(ada).get(url_of("projects")).text
    answer = client_of(sam).get(url_of("projects")).text
    assert "Pier 7 Warehouse" in answer
    assert "Hidden Quay" not in answer


def test_an_admin_of_the_project_configures_it(client_of, account, project, url_of):
    on_project = ProjectMembershipFactory(
        project=project, membership__account=account, admin=Level.ADMIN
    )
    client = client_of(on_project.membership.user)
    assert url_of("project_settings") in client.get(url_of("projects")).text
    values = {"name": "Pier 8", "number": "1042", "is_active": "on"}
    answer = client.post(url_of("project_settings"), values, follow=True)
    assert "Pier 7 Warehouse" in answer.text
    assert "Pier 8" in answer.text
    changes = Event.objects.about(account.pk, "project", project.pk)[0].data["changes"]
    assert changes == {"Name": ["Pier 7 Warehouse", "Pier 8"], "Use with ERP": ["Yes", "No"]}


def test_a_project_number_is_taken_once_per_account(client_of, ada, other_project, project, url_of):
    answer = client_of(ada).post(url_of("project_add"), {"name": "Again", "number": "1042"})
    assert "Another project of the account has the number 1042." in answer.text
    assert Project.objects.filter(number="1042").count() == 2


def test_creating_a_project_is_audited(client_of, ada, account, url_of):
    client_of(ada).post(url_of("project_add"), {"name": "Quay", "number": "7", "is_active": "on"})
    created = Project.objects.get(name="Quay")
    event = Event.objects.about(account.pk, "project", created.pk).get()
    assert (event.verb, event.actor.name) == ("created", "Ada Admin")


def test_letting_senders_accept_their_own_warns_and_is_audited(client_of, ada, account, url_of):
    client = client_of(ada)
    assert "without a second person" in client.get(url_of("account_settings")).text
    client.post(url_of("account_settings"), {"name": account.name, "senders_may_accept_own": "on"})
    event = Event.objects.about(account.pk, "account", account.pk).get()
    assert event.data["changes"] == {"A sender may accept their own item": ["No", "Yes"]}
    assert Account.objects.get(pk=account.pk).senders_may_accept_own


# --- bad input ------------------------------------------------------------------------------

BAD = {
    "person_add": ["email", "name", "job_title", "directory"],
    "person": ["job_title", "directory", "admin", "seen"],
    "account_settings": ["name"],
    "project_add": ["name", "number"],
    "project_settings": ["name", "number"],
}


@pytest.mark.parametrize("value", ["x" * 5000, "nul\x00nul", "9" * 40, "", "-1", "\udcff", "💥"])
@pytest.mark.parametrize(("name", "field"), [(n, f) for n, fields in BAD.items() for f in fields])
def test_bad_input_never_breaks_a_page(client_of, ada, url_of, name, field, value):
    good = LEVELS | {"email": "a@example.com", "name": "N", "number": "1", "job_title": "J"}
    body = {
        key: text.encode("utf-8", "surrogatepass") for key, text in (good | {field: value}).items()
    }
    assert client_of(ada).post(url_of(name), body).status_code in {200, 302}


@pytest.mark.parametrize("ids", [[HUGE], ["x"], ["-1"], ["\x00"], ["²"], ["1"] * 500, []])
def test_bad_project_ids_never_break_the_table(client_of, ada, url_of, ids):
    answer = client_of(ada).post(url_of("person_projects"), {"project": ids, "seen": "x"})
    assert answer.status_code == 200


@pytest.mark.parametrize("query", [{"q": "\x00"}, {"after": "x"}, {"sort": "zz"}, {"show": "\x00"}])
@pytest.mark.parametrize("name", ["people", "projects", "person_projects"])
def test_bad_queries_never_break_a_list(client_of, ada, url_of, name, query):
    assert client_of(ada).get(url_of(name), query).status_code == 200


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("people", {"account_id": HUGE}),
        ("person", {"membership_id": HUGE}),
        ("project_settings", {"project_id": HUGE}),
        *(
            ("person", {"membership_id": membership_id})
            for membership_id in (0, 2**63 - 1, 2**63, 2**63 + 1)
        ),
        ("project_settings", {"project_id": 2**63}),
        ("people", {"account_id": 2**63}),
    ],
)
def test_an_impossible_id_is_not_found(client_of, ada, url_of, name, changed):
    assert client_of(ada).get(url_of(name, **changed)).status_code == 404


# --- cost -----------------------------------------------------------------------------------


def queries(client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("people", "ada"),
        ("people", "sam"),
        ("projects", "ada"),
        ("projects", "sam"),
        ("person_projects", "ada"),
    ],
)
def test_a_list_costs_the_same_with_many_rows(request, client_of, account, url_of, name, who):
    person = request.getfixturevalue(who)
    client = client_of(person)
    few = queries(client, url_of(name))
    for _ in range(12):
        project_membership = ProjectMembershipFactory(
            membership__account=account, project__account=account, directory=Level.STANDARD
        )
        ProjectMembershipFactory(
            membership=Membership.objects.get(user=person, account=account),
            project=project_membership.project,
            admin=Level.ADMIN,
        )
    assert queries(client, url_of(name)) == few
