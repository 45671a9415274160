"""Adding people and changing what they may do."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from erpbridge.access import policy
from erpbridge.access.form_digest import Stale, digest, person_state
from erpbridge.access.levels import Level
from erpbridge.access.models import Membership, ProjectMembership, User
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Approver, Levels, Person
from erpbridge.audit.models import Event
from tests.factories import MembershipFactory, ProjectFactory

READER = Person(directory=Level.READ_ONLY, job_title="Estimator")


@pytest.fixture
def by_ada(account, ada):
    return policy.load(ada, account)


@pytest.fixture
def bea(account):
    """A second Directory Admin, who does not hold the approver's privilege."""
    return MembershipFactory(user__name="Bea Second", account=account, account_admin=True)


def of(user: User) -> Membership:
    return Membership.objects.get(user=user)


def save(membership, *, by, approver=None, seen=None, **changes):
    stored = {name: getattr(membership, name) for name in Person.__dataclass_fields__}
    return people_services.update(
        membership.pk,
        person=Person(**stored | changes),
        approver=approver,
        seen=seen or digest(person_state(membership)),
        by=by,
    )


def refused(**expected):
    """The one field of a refusal."""
    field, words = next(iter(expected.items()))
    return pytest.raises(ValidationError, match=f"'{field}'.*{words}")


# --- adding ---------------------------------------------------------------------------------


def test_a_new_person_gets_a_login_without_a_password_and_the_levels(by_ada):
    added = people_services.add(email="New@Example.com", name="Nia New", person=READER, by=by_ada)
    user = added.membership.user
    assert added.new_login
    assert (user.email, user.name, user.has_usable_password()) == (
        "new@example.com",
        "Nia New",
        False,
    )
    assert (added.membership.directory, added.membership.job_title) == (1, "Estimator")


def test_a_login_of_another_account_is_used_as_it_is(by_ada, olga):
    added = people_services.add(
        email="OLGA.other@example.com", name="Somebody", person=READER, by=by_ada
    )
    olga.refresh_from_db()
    assert (added.new_login, added.membership.user, olga.name) == (False, olga, "Olga Other")
    assert olga.check_password("correct horse battery staple")


def test_an_existing_login_is_let_in_at_once_only_when_the_operator_vouches(by_ada, olga):
    def added(email, **how):
        return people_services.add(
            email=email, name="N", person=READER, by=by_ada, **how
        ).membership

    assert not added(olga.email).is_confirmed
    assert added("new@example.com").is_confirmed
    stranger = MembershipFactory().user.email
    assert added(stranger, trusted=True).is_confirmed


def test_an_invited_admin_does_not_count_as_another_admin(by_ada, ada, bea):
    Membership.objects.filter(user=ada).update(confirmed_at=None)
    with refused(directory="last active"):
        save(bea, by=by_ada, directory=Level.NONE)


def test_an_invited_admin_can_be_demoted_by_the_only_admin(by_ada, bea):
    Membership.objects.filter(pk=bea.pk).update(confirmed_at=None)
    assert save(of(bea.user), by=by_ada, directory=Level.NONE).directory == Level.NONE


def test_the_history_tells_whether_somebody_new_was_invited_or_somebody_known_asked(by_ada, olga):
    known = people_services.add(email=olga.email, name="Olga", person=READER, by=by_ada).membership
    fresh = people_services.add(
        email="new@example.com", name="Nia", person=READER, by=by_ada
    ).membership
    given = {"changes": {"Directory": ["", "Read Only"], "Job title": ["", "Estimator"]}}
    for membership, verb in ((known, people_services.ASKED), (fresh, people_services.INVITED)):
        events = [
            (event.verb, event.data, event.actor)
            for event in people_services.history(membership, most=5)
        ]
        assert events == [(verb, {}, by_ada.user), (people_services.ADDED, given, by_ada.user)]


def test_nobody_is_added_twice(by_ada, sam):
    with refused(email="in the account already"):
        people_services.add(email=sam.email, name="Sam", person=READER, by=by_ada)


def test_adding_somebody_is_in_their_history(by_ada):
    added = people_services.add(email="new@example.com", name="Nia", person=READER, by=by_ada)
    events = people_services.history(added.membership, most=5)
    assert [event.verb for event in events] == ["invited", "added"]
    assert events[1].data["changes"]["Directory"] == ["", "Read Only"]
    assert events[1].actor == by_ada.user


# --- levels ---------------------------------------------------------------------------------


def test_a_change_of_level_is_recorded_with_from_and_to(by_ada, sam):
    save(of(sam), by=by_ada, directory=Level.READ_ONLY, create_edit_companies=True)
    assert people_services.history(of(sam), most=1)[0].data["changes"] == {
        "Directory": ["Standard", "Read Only"],
        "Create and Edit Companies": ["No", "Yes"],
    }


def test_saving_without_a_change_leaves_no_trace(by_ada, sam):
    save(of(sam), by=by_ada)
    assert not Event.objects.exists()


def test_the_person_of_another_account_cannot_be_saved(by_ada, olga):
    with pytest.raises(Membership.DoesNotExist):
        save(of(olga), by=by_ada, is_active=False)


def test_nobody_takes_directory_admin_from_themselves(by_ada, ada, bea):
    with refused(directory="yourself"):
        save(of(ada), by=by_ada, directory=Level.STANDARD)
    assert of(ada).directory == Level.ADMIN


def test_nobody_deactivates_themselves(by_ada, ada, bea):
    with refused(is_active="yourself"):
        save(of(ada), by=by_ada, is_active=False)


def test_an_admin_can_be_demoted_while_another_one_is_left(by_ada, bea):
    assert save(bea, by=by_ada, directory=Level.READ_ONLY).directory == Level.READ_ONLY


@pytest.mark.parametrize(
    ("change", "field"),
    [({"directory": Level.STANDARD}, "directory"), ({"is_active": False}, "is_active")],
)
def test_the_last_active_directory_admin_stays(account, ada, by_ada, bea, change, field):
    """Ada was demoted after her request had begun: Bea is the only admin now."""
    Membership.objects.filter(user=ada).update(directory=Level.NONE)
    with refused(**{field: "last active Directory Admin"}):
        save(bea, by=by_ada, **change)


def test_the_last_admin_can_be_changed_in_anything_else(by_ada, ada):
    save(of(ada), by=by_ada, job_title="Owner", admin=Level.NONE)
    assert (of(ada).job_title, of(ada).directory) == ("Owner", Level.ADMIN)


def test_an_admin_whose_login_is_switched_off_does_not_count_as_another_admin(by_ada, ada, bea):
    User.objects.filter(pk=ada.pk).update(is_active=False)
    with refused(directory="last active"):
        save(bea, by=by_ada, directory=Level.NONE)


# --- the approver's privilege ---------------------------------------------------------------

APPROVER = Approver(can_push_to_accounting=True, erp_digest=False, rights={"vendor": (True, False)})


def test_somebody_with_the_privilege_passes_it_on_with_the_rights_per_type(by_ada, sam):
    save(of(sam), by=by_ada, approver=APPROVER)
    membership = of(sam)
    assert (membership.can_push_to_accounting, membership.erp_digest) == (True, False)
    right = membership.erp_rights.get(entity="vendor")
    assert (right.can_import, right.can_export) == (True, False)
    changes = people_services.history(membership, most=1)[0].data["changes"]
    assert changes["Can push to accounting"] == ["No", "Yes"]
    assert changes["Companies: Can import"] == ["No", "Yes"]


def test_a_directory_admin_without_the_privilege_cannot_grant_it(account, bea, sam):
    with pytest.raises(PermissionDenied, match="push to accounting"):
        save(of(sam), by=policy.load(bea.user, account), approver=APPROVER)
    assert not of(sam).can_push_to_accounting


def test_a_refused_approver_part_saves_nothing_of_the_rest(account, bea, sam):
    with pytest.raises(PermissionDenied):
        save(of(sam), by=policy.load(bea.user, account), approver=APPROVER, job_title="Boss")
    assert of(sam).job_title == ""


def test_the_privilege_cannot_die_out(by_ada, ada, bea):
    no_approver = Approver(can_push_to_accounting=False, erp_digest=True, rights={})
    with pytest.raises(ValidationError, match="Nobody could grant"):
        save(of(ada), by=by_ada, approver=no_approver)
    assert of(ada).can_push_to_accounting


# --- two admins at once ---------------------------------------------------------------------


def test_the_second_of_two_admins_is_told_who_was_first_and_nothing_is_lost(
    account, by_ada, bea, sam
):
    opened = digest(person_state(of(sam)))
    save(of(sam), by=policy.load(bea.user, account), job_title="Clerk")
    with pytest.raises(Stale) as stale:
        save(of(sam), by=by_ada, seen=opened, job_title="Boss")
    assert stale.value.latest.actor == bea.user
    assert of(sam).job_title == "Clerk"
    save(of(sam), by=by_ada, seen=stale.value.now, job_title="Boss")
    assert of(sam).job_title == "Boss"


@pytest.mark.parametrize("changed", ["vendor right", "flag", "level"])
def test_every_part_of_the_page_counts_for_staleness(by_ada, sam, changed):
    opened = digest(person_state(of(sam)))
    if changed == "vendor right":
        of(sam).erp_rights.create(entity="vendor", can_export=True)
    field = {"flag": "can_push_to_accounting", "level": "admin"}.get(changed)
    if field:
        Membership.objects.filter(user=sam).update(**{field: 1})
    with pytest.raises(Stale):
        save(of(sam), by=by_ada, seen=opened)


# --- projects -------------------------------------------------------------------------------


def set_levels(membership, levels, *, by, seen=None):
    projects = [project for project in levels if project.account_id == by.account.pk]
    return people_services.set_project_levels(
        membership.pk,
        levels={project.pk: project_levels for project, project_levels in levels.items()},
        seen=seen or digest(people_services.project_state(membership, projects)),
        by=by,
    )


def test_levels_of_several_projects_are_saved_in_one_go(by_ada, sam, project):
    second = ProjectFactory(account=by_ada.account)
    levels = {project: Levels(directory=Level.ADMIN), second: Levels(create_edit_companies=True)}
    assert set_levels(of(sam), levels, by=by_ada) == 2
    by_project = {row.project: row for row in of(sam).projects.all()}
    assert by_project[project].directory == Level.ADMIN
    assert by_project[second].create_edit_companies
    notes = {event.note for event in people_services.history(of(sam), most=5)}
    assert notes == {f"Project {project}", f"Project {second}"}


def test_all_none_takes_the_person_off_the_project(by_ada, sam, project):
    set_levels(of(sam), {project: Levels()}, by=by_ada)
    assert not ProjectMembership.objects.filter(membership__user=sam).exists()


def test_a_project_of_another_account_is_passed_over(by_ada, sam, other_project):
    assert set_levels(of(sam), {other_project: Levels(directory=Level.ADMIN)}, by=by_ada) == 0
    assert not other_project.memberships.exists()


def test_stale_project_levels_are_refused(by_ada, sam, project):
    opened = digest(people_services.project_state(of(sam), [project]))
    set_levels(of(sam), {project: Levels(admin=Level.STANDARD)}, by=by_ada)
    with pytest.raises(Stale):
        set_levels(of(sam), {project: Levels()}, by=by_ada, seen=opened)


# --- invitations ----------------------------------------------------------------------------


def test_only_the_account_that_created_the_login_may_invite_again(by_ada, olga, other_account):
    by_olga = policy.load(olga, other_account)
    first = people_services.add(email="new@example.com", name="Nia", person=READER, by=by_olga)
    second = people_services.add(email="new@example.com", name="Nia", person=READER, by=by_ada)
    assert people_services.may_invite(first.membership)
    assert people_services.must_join(second.membership)
    assert people_services.join(second.membership, nonce=second.membership.join_nonce)
    second.membership.refresh_from_db()
    assert not people_services.may_invite(second.membership)
    with pytest.raises(ValidationError), transaction.atomic():
        people_services.invite(second.membership.pk, by=by_ada)


def test_a_new_join_link_never_touches_the_password_of_another_accounts_login(by_ada, olga):
    added = people_services.add(email=olga.email, name="Olga", person=READER, by=by_ada)
    User.objects.filter(pk=olga.pk).update(password="!none yet")
    people_services.invite(added.membership.pk, by=by_ada)
    assert User.objects.get(pk=olga.pk).password == "!none yet"


def test_somebody_with_a_password_is_not_invited_again(by_ada, sam):
    assert not people_services.may_invite(of(sam))


def test_nobody_is_invited_to_a_login_or_a_membership_that_is_switched_off(by_ada):
    added = people_services.add(email="new@example.com", name="Nia", person=READER, by=by_ada)
    for model, pk in ((User, added.membership.user_id), (Membership, added.membership.pk)):
        model.objects.filter(pk=pk).update(is_active=False)
        assert not people_services.may_invite(Membership.objects.get(pk=added.membership.pk))
        model.objects.filter(pk=pk).update(is_active=True)
    assert people_services.may_invite(Membership.objects.get(pk=added.membership.pk))
