"""A login that exists already opens an account only after its holder has used the join link."""

import datetime

import pytest
import time_machine
from django.core import signing
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from erpbridge.access import policy
from erpbridge.access.form_digest import digest, person_state
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership
from erpbridge.access.policy import Scope
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Person
from erpbridge.people.join_views import SALT, join_path
from tests.factories import MembershipFactory

ADMIN = Person(directory=Level.ADMIN)


@pytest.fixture
def by_ada(account, ada):
    return policy.load(ada, account)


@pytest.fixture
def invited(by_ada, olga):
    """Olga, whose login is of another account, as an admin of this one who has yet to join."""
    return people_services.add(email=olga.email, name="Olga", person=ADMIN, by=by_ada).membership


@pytest.fixture
def olgas(client_of, olga):
    return client_of(olga)


def stored(membership) -> Membership:
    return Membership.objects.get(pk=membership.pk)


def home_of(account) -> str:
    return reverse("account", args=[account.pk])


def person_page(membership) -> str:
    return reverse("access:person", args=[membership.account_id, membership.pk])


# --- before ---------------------------------------------------------------------------------


def test_whoever_has_not_joined_sees_nothing_of_the_account(invited, account, olga, olgas):
    assert account not in Account.objects.visible_to(olga)
    assert policy.load(olga, account) is None
    assert not policy.can(olga, "people.view", Scope(account))
    for name in ("account", "access:people", "access:projects", "access:account_settings"):
        assert olgas.get(reverse(name, args=[account.pk])).status_code == 404
    home = olgas.get(reverse("home"), follow=True)
    assert "Ridge Builders" in home.text
    assert "Harbor Construction" not in home.text


def test_whoever_has_not_joined_is_listed_as_invited(invited, client_of, ada, account):
    client = client_of(ada)
    address = reverse("access:people", args=[account.pk])
    assert client.get(address, {"q": "Olga"}).text.count("</svg>Invited</span>") == 1
    assert "</svg>Invited</span>" in client.get(person_page(invited)).text
    people_services.join(invited, nonce=invited.join_nonce)
    assert "</svg>Invited</span>" not in client.get(address).text


# --- joining --------------------------------------------------------------------------------


def test_the_link_asks_first_and_then_lets_the_person_in(invited, account, olgas):
    link = join_path(invited)
    assert "Join Harbor Construction?" in olgas.get(link).text
    assert not stored(invited).is_confirmed
    answer = olgas.post(link)
    assert (answer.status_code, answer.headers["Location"]) == (302, home_of(account))
    assert stored(invited).is_confirmed
    assert olgas.get(reverse("access:people", args=[account.pk])).status_code == 200


def test_joining_is_in_the_history_with_who_did_it(invited, olga, olgas):
    olgas.post(join_path(invited))
    events = people_services.history(invited, most=5)
    assert [event.verb for event in events] == ["joined", "asked to join", "added"]
    assert events[0].actor == olga


def test_the_link_survives_the_log_in(invited):
    link = join_path(invited)
    answer = Client().get(link)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("login") + "?next=/join/")


# --- links that do not let in ---------------------------------------------------------------


def test_a_link_works_once(invited, olgas):
    link = join_path(invited)
    olgas.post(link)
    for answer in (olgas.get(link), olgas.post(link)):
        assert answer.status_code == 410
        assert "This link no longer works" in answer.text
    assert [event.verb for event in people_services.history(invited, most=5)].count("joined") == 1


def test_two_uses_at_once_join_once(invited):
    nonce = invited.join_nonce
    assert people_services.join(invited, nonce=nonce)
    assert not people_services.join(invited, nonce=nonce)


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_login_is_told_to_change_and_learns_nothing(invited, client_of, sam, olga, method):
    Account.objects.filter(pk=invited.account_id).update(name="Secret Works")
    answer = getattr(client_of(sam), method)(join_path(invited))
    assert answer.status_code == 403
    assert "log in with the e-mail address that was invited" in answer.text
    assert olga.email not in answer.text
    assert not stored(invited).is_confirmed


def test_an_outsider_with_the_link_is_not_told_the_account(invited, client_of, db):
    stranger = MembershipFactory(user__name="Una Unknown").user
    assert "Harbor" not in client_of(stranger).get(join_path(invited)).text


def test_a_link_expires(invited, olgas):
    with time_machine.travel(datetime.datetime.now() - datetime.timedelta(days=4)):
        link = join_path(invited)
    assert olgas.get(link).status_code == 410
    assert olgas.post(link).status_code == 410
    assert not stored(invited).is_confirmed


@pytest.mark.parametrize("changed", [{"confirmed_at": Now()}, {"is_active": False}])
def test_a_link_of_who_has_joined_or_was_made_inactive_is_gone(invited, olgas, changed):
    """Even if its nonce is still stored."""
    Membership.objects.filter(pk=invited.pk).update(**changed)
    assert olgas.get(join_path(invited)).status_code == 410


@pytest.mark.parametrize(
    "token", ["x", "a:b:c", "%00", "é", "x" * 3000, "WzEsIm4iXQ:1xUuyG:jNjkD5"]
)
def test_a_broken_link_says_what_to_do(olgas, token):
    answer = olgas.get(reverse("access:join", args=[token]))
    assert answer.status_code == 410
    assert "ask whoever gave you the link" in answer.text


def test_what_was_signed_for_something_else_is_no_link(invited, olgas):
    token = signing.dumps([invited.pk, invited.join_nonce], salt="something else")
    assert olgas.post(reverse("access:join", args=[token])).status_code == 410


def test_the_empty_nonce_of_a_joined_person_lets_nobody_in_again(olga, olgas):
    membership = Membership.objects.get(user=olga)
    assert olgas.post(join_path(membership)).status_code == 410


def test_a_link_names_its_membership(invited, olgas, account):
    """A nonce is not valid for another membership."""
    other = MembershipFactory(account=account, user__name="Zed Other", confirmed_at=None)
    token = signing.dumps([other.pk, invited.join_nonce], salt=SALT)
    assert olgas.post(reverse("access:join", args=[token])).status_code == 410


# --- the admin ------------------------------------------------------------------------------


def test_the_admin_makes_a_new_link_and_the_old_one_dies(invited, client_of, ada, olgas):
    client, old = client_of(ada), join_path(invited)
    assert "New invitation link" in client.get(person_page(invited)).text
    answer = client.post(
        reverse("access:person_invitation", args=[invited.account_id, invited.pk]), follow=True
    )
    link = answer.context["invitation"]
    assert "lets them join with the login they have" in answer.text
    assert olgas.get(old).status_code == 410
    assert olgas.post(link.removeprefix("http://testserver")).status_code == 302


def test_no_link_is_made_for_who_has_joined(invited, client_of, ada, olgas):
    olgas.post(join_path(invited))
    client = client_of(ada)
    assert "New invitation link" not in client.get(person_page(invited)).text
    answer = client.post(
        reverse("access:person_invitation", args=[invited.account_id, invited.pk]), follow=True
    )
    assert "can log in with it" in answer.text


def test_an_admin_who_makes_an_invited_person_inactive_ends_the_link(invited, by_ada, olgas):
    people_services.update(
        invited.pk,
        person=Person(is_active=False),
        approver=None,
        seen=digest(person_state(invited)),
        by=by_ada,
    )
    assert not people_services.may_invite(stored(invited))
    assert olgas.post(join_path(invited)).status_code == 410
    assert not stored(invited).is_confirmed


def test_a_login_made_elsewhere_with_a_known_password_does_not_get_in(client_of, by_ada, olga):
    """The attack: Olga's admin makes a login for somebody's address and keeps its password."""
    by_olga = policy.load(olga, Membership.objects.get(user=olga).account)
    taken = people_services.add(email="nia@example.com", name="Nia", person=Person(), by=by_olga)
    taken.membership.user.set_password("a quite different phrase 7")
    taken.membership.user.save()
    people_services.add(email="nia@example.com", name="Nia", person=ADMIN, by=by_ada)
    client = client_of(taken.membership.user)
    assert client.get(home_of(by_ada.account)).status_code == 404
    assert client.get(home_of(by_olga.account)).status_code == 302


# --- rows from before -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_memberships_from_before_stay_open():
    membership = MembershipFactory(confirmed_at=None)
    executor = MigrationExecutor(connection)
    migration = executor.loader.get_migration("access", "0002_confirmed_memberships")
    with connection.schema_editor() as editor:
        apps = executor.loader.project_state(("access", migration.name)).apps
        migration.operations[-1].code(apps, editor)
    assert stored(membership).is_confirmed
