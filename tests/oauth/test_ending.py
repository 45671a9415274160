"""Programs that act for a person end with the person's password, membership or rights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from threading import Barrier

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from erpbridge.access import policy
from erpbridge.access.form_digest import digest, person_state
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership, User
from erpbridge.access.services import partial_update
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Approver, Levels, Person
from erpbridge.audit.models import Event
from erpbridge.login.views import invitation_path
from erpbridge.oauth import applications, programs, tokens
from erpbridge.oauth.models import Code, Token
from tests.factories import PASSWORD, MembershipFactory

HOME = "https://program.example.com/back"
NEW = "a quite different phrase 7"
ME = "/rest/v1.0/me"


def program_of(account, admin, name="Estimator"):
    by = policy.load(admin, account)
    return applications.create(name, redirect_uris=[HOME], by=by).application


@pytest.fixture
def program(account, ada):
    return program_of(account, ada)


class Grant:
    """The credentials of a program for a person: both tokens, and a code not yet exchanged."""

    def __init__(self, application, user) -> None:
        self.application = application
        self.given = tokens.issue(application, user)
        self.code = tokens.new_code(application, user, redirect_uri=HOME, challenge="")

    def calls(self) -> int:
        sent = {"Authorization": f"Bearer {self.given.access}"}
        return Client().get(ME, headers=sent).status_code

    def works(self) -> set[str]:
        """Which of its three credentials are still valid."""
        alive = {"access"} if self.calls() == 200 else set()
        for name, use in (("refresh", self.renew), ("code", self.redeem)):
            try:
                use()
            except tokens.Refused:
                continue
            alive.add(name)
        return alive

    def renew(self):
        return tokens.renew(self.application, self.given.refresh)

    def redeem(self):
        return tokens.redeem(self.application, self.code, redirect_uri=HOME, verifier="")


@pytest.fixture
def grant(program, sam):
    return Grant(program, sam)


def test_a_grant_works_until_something_ends_it(grant):
    assert grant.works() == {"access", "refresh", "code"}


# --- passwords --------------------------------------------------------------------------------


def on_own_page(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    body = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert client.post(reverse("password_change"), body).status_code == 302
    # The person who changed it stays signed in.
    assert client.get(reverse("own_settings")).status_code == 200


def by_command(user, monkeypatch):
    command = "django.contrib.auth.management.commands.changepassword.Command._get_pass"
    monkeypatch.setattr(command, lambda *_args, **_how: NEW)
    call_command("changepassword", user.email, stdout=StringIO())


def by_link(user):
    client = Client()
    address = client.get(invitation_path(user), follow=True).redirect_chain[-1][0]
    body = {"new_password1": NEW, "new_password2": NEW}
    assert client.post(address, body).status_code == 302


def in_a_shell(user):
    user.set_password(NEW)
    user.save()


def made_unusable(user):
    user.set_unusable_password()
    user.save(update_fields=["password"])


def by_statement(user):
    User.objects.filter(pk=user.pk).update(password=make_password(NEW))


def for_many(user):
    user.password = make_password(NEW)
    User.objects.bulk_update([user], ["password"])


def switched_off_and_on(user):
    for active in (False, True):
        user.is_active = active
        user.save(update_fields=["is_active"])


def switched_off_by_statement(user):
    User.objects.filter(pk=user.pk).update(is_active=False)
    User.objects.filter(pk=user.pk).update(is_active=True)


PASSWORD_DOORS = [on_own_page, by_link, in_a_shell, made_unusable, by_statement, for_many]


@pytest.mark.parametrize(
    "door",
    [*PASSWORD_DOORS, switched_off_and_on, switched_off_by_statement],
    ids=lambda f: f.__name__,
)
def test_another_password_or_login_ends_programs_everywhere(
    door, grant, sam, other_account, olga, client_of
):
    MembershipFactory.create(user=sam, account=other_account, directory=Level.READ_ONLY)
    elsewhere = Grant(program_of(other_account, olga), sam)
    browser = client_of(sam)
    door(User.objects.get(pk=sam.pk))
    assert (grant.works(), elsewhere.works()) == (set(), set())
    if door in PASSWORD_DOORS:
        assert browser.get(reverse("own_settings")).status_code == 302
    for account in (grant.application.account_id, other_account.pk):
        event = Event.objects.filter(account=account, verb=programs.ENDED).get()
        assert list(event.data["changes"]) == ["Program Estimator"]
        assert event.actor == (sam if door in (on_own_page, by_link) else None)


def test_the_command_changepassword_ends_programs(grant, sam, monkeypatch):
    by_command(sam, monkeypatch)
    assert grant.works() == set()


def test_the_same_password_under_a_newer_hash_ends_nothing(grant, sam, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    body = {"username": sam.email, "password": PASSWORD}
    assert Client().post(reverse("login"), body).status_code == 302
    assert User.objects.get(pk=sam.pk).password.startswith("pbkdf2_sha1")
    assert grant.works() == {"access", "refresh", "code"}


def test_another_name_ends_nothing(grant, sam):
    sam.name = "Sam Renamed"
    sam.save()
    assert grant.works() == {"access", "refresh", "code"}


def test_a_page_that_was_open_while_the_password_changed_gives_out_no_code(program, sam):
    before = User.objects.get(pk=sam.pk)
    in_a_shell(sam)
    with pytest.raises(tokens.Refused):
        tokens.new_code(program, before, redirect_uri=HOME, challenge="")


# --- rights -----------------------------------------------------------------------------------

HELD = Levels(Level.STANDARD, Level.READ_ONLY, Level.STANDARD, True)
ENTITY = "vendor"


@pytest.fixture
def able(account, project, sam):
    """Sam with some right of every kind, in the account and on the project."""
    member = Membership.objects.get(user=sam, account=account)
    by = policy.load(User.objects.get(name="Ada Admin"), account)
    save(member, by, person=Person(**HELD.__dict__), approver=approver(True, (True, True)))
    partial_update.amend(member.pk, values={}, on_projects={project: HELD.__dict__}, by=by)
    return Membership.objects.get(pk=member.pk)


def approver(flag, rights):
    return Approver(flag, False, {ENTITY: rights})


def save(member, by, *, person=None, approver=None):
    member = Membership.objects.get(pk=member.pk)
    state = person_state(member)
    person = person or Person(**{name: state[name] for name in Person.__dataclass_fields__})
    seen = digest(state)
    people_services.update(member.pk, person=person, approver=approver, seen=seen, by=by)


FULL = Person(**HELD.__dict__)
LESS = {
    "a level": {"person": replace(FULL, directory=Level.READ_ONLY)},
    "another level": {"person": replace(FULL, admin=Level.NONE)},
    "the granular right": {"person": replace(FULL, create_edit_companies=False)},
    "the account": {"person": replace(FULL, is_active=False)},
    "the approver's flag": {"approver": approver(False, (True, True))},
    "can export": {"approver": approver(True, (True, False))},
    "can import": {"approver": approver(True, (False, True))},
    "a level, with another raised": {
        "person": replace(FULL, directory=Level.READ_ONLY, admin=Level.ADMIN)
    },
}
NOT_LESS = {
    "the same": {"person": FULL},
    "a level raised": {"person": replace(FULL, admin=Level.ADMIN)},
    "a job title": {"person": replace(FULL, job_title="Foreman")},
    "the digest": {"approver": Approver(True, True, {ENTITY: (True, True)})},
}


@pytest.mark.parametrize("change", [*LESS, *NOT_LESS])
def test_a_lowered_right_ends_the_programs_of_that_account_and_nothing_else_does(
    change, program, able, ada, account, other_account, olga
):
    MembershipFactory.create(user=able.user, account=other_account, directory=Level.READ_ONLY)
    elsewhere = Grant(program_of(other_account, olga), able.user)
    grant = Grant(program, able.user)
    save(able, policy.load(ada, account), **(LESS | NOT_LESS)[change])
    if change == "the account":
        save(able, policy.load(ada, account), person=FULL)
    everything = {"access", "refresh", "code"}
    assert grant.works() == (set() if change in LESS else everything)
    assert elsewhere.works() == everything
    events = Event.objects.filter(verb=programs.ENDED)
    assert [event.actor for event in events] == ([ada] if change in LESS else [])


@pytest.mark.parametrize("door", ["page", "rest", "off the project"])
def test_a_lowered_right_on_a_project_ends_programs_by_every_door(
    door, program, able, ada, account, project, client_of
):
    grant = Grant(program, able.user)
    by = policy.load(ada, account, project)
    if door == "page":
        levels = {project.pk: replace(HELD, admin=Level.NONE)}
        seen = digest(people_services.project_state(able, [project]))
        people_services.set_project_levels(able.pk, levels=levels, seen=seen, by=by)
    elif door == "rest":
        admin = tokens.issue(program, ada).access
        answer = Client().patch(
            f"/rest/v1.0/projects/{project.pk}/users/{able.user_id}",
            {"user": {"permission_levels": {"directory": "Read Only"}}},
            content_type="application/json",
            headers={"Authorization": f"Bearer {admin}"},
        )
        assert answer.status_code == 200, answer.text
    else:
        partial_update.take_off(project, able.pk, by=by)
    assert grant.works() == set()


def test_a_sync_of_users_that_lowers_a_right_ends_programs(program, able, ada, account):
    grant = Grant(program, able.user)
    admin = tokens.issue(program, ada).access
    answer = Client().patch(
        f"/rest/v1.0/companies/{account.pk}/users/sync",
        {"updates": [{"id": able.user_id, "erp_integrated_accountant": False}]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {admin}"},
    )
    assert answer.status_code == 200, answer.text
    assert grant.works() == set()


def test_a_membership_that_is_gone_by_any_door_opens_nothing(grant, sam):
    Membership.objects.filter(user=sam).update(is_active=False)
    assert grant.works() == set()


# --- at the same moment -------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("use", ["renew", "redeem"])
def test_what_is_given_out_while_the_password_changes_is_dead_all_the_same(use, program, sam):
    for _ in range(10):
        grant = Grant(program, User.objects.get(pk=sam.pk))
        start = Barrier(2)

        def give(grant=grant, start=start):
            start.wait()
            try:
                getattr(grant, use)()
            except tokens.Refused:
                pass
            finally:
                connection.close()

        def change(start=start):
            user = User.objects.get(pk=sam.pk)
            user.set_password(NEW)
            start.wait()
            try:
                user.save()
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(give), pool.submit(change)]:
                done.result()
        assert not Token.objects.filter(user=sam, ended_at=None).exists()


# --- unused -------------------------------------------------------------------------------------


def test_a_refresh_token_ends_unused_after_90_days_and_lives_on_where_it_is_used(grant):
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=89)):
        grant.given = grant.renew()
    with time_machine.travel(now + timedelta(days=178)):
        grant.given = grant.renew()
    with (
        time_machine.travel(now + timedelta(days=178 + 91)),
        pytest.raises(tokens.Refused, match="not used for 90 days"),
    ):
        grant.renew()


def test_what_nobody_presents_any_more_is_cleared_and_what_is_alive_stays(grant):
    now = timezone.now()
    with time_machine.travel(now + timedelta(days=89)):
        grant.given = grant.renew()
    with time_machine.travel(now + timedelta(days=91)):
        tokens.clear_old()
        assert not Code.objects.exists()
        assert grant.renew()
    with time_machine.travel(now + timedelta(days=400)):
        tokens.clear_old()
        assert not Token.objects.exists()


def test_when_a_program_was_last_used_is_known_to_within_ten_minutes(grant, sam):
    now = timezone.now()
    for minutes, known in ((5, 0), (11, 11), (16, 11), (22, 22)):
        with time_machine.travel(now + timedelta(minutes=minutes), tick=False):
            assert grant.calls() == 200
        [program] = programs.acting_for(sam)
        assert abs(program.used_at - now - timedelta(minutes=known)) < timedelta(seconds=30)


# --- the pages ----------------------------------------------------------------------------------


def test_a_person_sees_the_programs_that_act_for_them_and_ends_one(
    grant, account, ada, sam, client_of
):
    other = Grant(program_of(account, ada, "Scheduler"), sam)
    assert grant.calls() == 200
    client = client_of(sam)
    page = client.get(reverse("oauth:own_programs")).text
    assert "Estimator" in page
    assert "Scheduler" in page
    end = reverse("oauth:own_program_end", args=[grant.application.pk])
    assert "End Estimator?" in client.get(end).text
    assert grant.calls() == 200
    assert client.post(end).status_code == 302
    assert grant.works() == set()
    assert other.calls() == 200
    assert client.get(end)["Location"] == reverse("oauth:own_programs")
    event = Event.objects.get(verb=programs.ENDED)
    assert (event.actor, event.subject_id) == (sam, Membership.objects.get(user=sam).pk)


def test_a_person_ends_all_at_once(grant, account, ada, sam, client_of):
    other = Grant(program_of(account, ada, "Scheduler"), sam)
    client = client_of(sam)
    assert "Estimator, Scheduler" in client.get(reverse("oauth:own_programs_end")).text
    client.post(reverse("oauth:own_programs_end"))
    assert (grant.works(), other.works()) == (set(), set())
    assert "No programs" in client.get(reverse("oauth:own_programs")).text


def test_an_admin_sees_and_ends_programs_of_the_account_only(
    grant, account, other_account, ada, olga, sam, pat, client_of
):
    MembershipFactory.create(user=sam, account=other_account, directory=Level.READ_ONLY)
    elsewhere = Grant(program_of(other_account, olga, "Not Ours"), sam)
    member = Membership.objects.get(user=sam, account=account)
    client = client_of(ada)
    page = client.get(reverse("oauth:person_programs", args=[account.pk, member.pk])).text
    assert "Estimator" in page
    assert "Not Ours" not in page
    end_all = reverse("oauth:person_programs_end", args=[account.pk, member.pk])
    for person in (sam, pat):
        assert client_of(person).post(end_all).status_code == 403
    assert grant.calls() == 200
    args = [account.pk, member.pk, elsewhere.application.pk]
    assert client.post(reverse("oauth:person_program_end", args=args)).status_code == 404
    client.post(end_all)
    assert grant.works() == set()
    assert elsewhere.works() == {"access", "refresh", "code"}
    history = client.get(reverse("access:person", args=[account.pk, member.pk])).text
    assert "Ended: a person ended it" in history


def test_nobody_ends_the_programs_of_another_person_as_their_own(grant, pat, client_of):
    end = reverse("oauth:own_program_end", args=[grant.application.pk])
    assert client_of(pat).post(end).status_code == 404
    client_of(pat).post(reverse("oauth:own_programs_end"))
    assert grant.calls() == 200
