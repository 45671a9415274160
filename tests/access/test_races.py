"""Two admins at the same moment."""

import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from erpbridge.access import policy
from erpbridge.access.form_digest import Stale, digest, person_state
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Person
from tests.factories import AccountFactory, MembershipFactory


def at_once(*actions):
    """Run the actions in threads that start together; returns what each of them raised."""
    start, raised = threading.Barrier(len(actions)), [None] * len(actions)

    def run(place, action):
        start.wait()
        try:
            action()
        except Exception as error:
            raised[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return raised


@pytest.fixture
def admins(transactional_db):
    account = AccountFactory()
    return [MembershipFactory(account=account, account_admin=True) for _ in range(2)]


def save(membership, *, by, **changes):
    access = policy.load(by.user, by.account)
    seen = digest(person_state(membership))
    return lambda: people_services.update(
        membership.pk, person=Person(**changes), approver=None, seen=seen, by=access
    )


def test_two_admins_who_demote_each_other_leave_one_admin(admins):
    first, second = admins
    raised = at_once(save(second, by=first), save(first, by=second))
    assert [type(error) for error in raised].count(ValidationError) == 1
    assert Membership.objects.filter(directory=Level.ADMIN).count() == 1


def test_of_two_who_save_the_same_person_at_once_one_is_told(admins):
    person = MembershipFactory(account=admins[0].account)
    raised = at_once(
        save(person, by=admins[0], job_title="Clerk"), save(person, by=admins[1], job_title="Boss")
    )
    assert [type(error) for error in raised].count(Stale) == 1


def test_the_same_new_person_added_twice_at_once_exists_once(admins):
    def add(by):
        access = policy.load(by.user, by.account)
        return lambda: people_services.add(
            email="n@example.com", name="N", person=Person(), by=access
        )

    raised = at_once(add(admins[0]), add(admins[1]))
    assert [type(error) for error in raised].count(ValidationError) == 1
    assert Membership.objects.filter(user__email="n@example.com").count() == 1
