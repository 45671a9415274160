"""The operator's command that creates an account with its first admin."""

import pytest
from django.core.management import CommandError, call_command

from erpbridge.access import policy
from erpbridge.access.management.commands import create_account
from erpbridge.access.models import Account, Membership, User
from erpbridge.access.policy import Scope
from erpbridge.audit.models import Event

GOOD = "a quite different phrase 7"


@pytest.fixture(autouse=True)
def _password(monkeypatch, db):
    monkeypatch.setenv(create_account.PASSWORD_VARIABLE, GOOD)


def create(name="Quay Works", email="Una@Example.com", admin_name="Una Operator"):
    call_command("create_account", name, email=email, admin_name=admin_name)


def test_the_first_admin_can_do_everything_including_granting_the_privilege(capsys):
    create()
    account = Account.objects.get(name="Quay Works")
    una = User.objects.get(email="una@example.com")
    assert una.check_password(GOOD)
    for action in ("people.manage", "people.grant_approver", "account.configure", "items.accept"):
        assert policy.can(una, action, Scope(account), "vendor")
    assert "Created account 'Quay Works'" in capsys.readouterr().out
    assert Event.objects.about(account.pk, "account", account.pk).get().verb == "created"


def test_an_existing_login_keeps_its_name_and_password(olga):
    create(email=olga.email, admin_name="Somebody Else")
    olga.refresh_from_db()
    assert (olga.name, Membership.objects.filter(user=olga).count()) == ("Olga Other", 2)
    assert not olga.check_password(GOOD)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": " "}, "name: This field cannot be blank"),
        ({"name": "x" * 201}, "name: .*at most 200"),
        ({"email": "nobody"}, "admin's email: Enter a valid"),
        ({"admin_name": ""}, "admin's name: This field cannot be blank"),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_created(changed, why):
    with pytest.raises(CommandError, match=why):
        create(**changed)
    assert not Account.objects.exists()
    assert not User.objects.exists()


def test_a_password_like_the_login_is_refused(monkeypatch):
    monkeypatch.setenv(create_account.PASSWORD_VARIABLE, "una.operator@example.com")
    with pytest.raises(CommandError, match="password: The password is too similar"):
        create(email="una.operator@example.com")


def test_a_weak_password_is_refused(monkeypatch):
    monkeypatch.setenv(create_account.PASSWORD_VARIABLE, "12345")
    with pytest.raises(CommandError, match="password: This password is too short"):
        create()
    assert not Account.objects.exists()


@pytest.mark.parametrize(("typed", "created"), [([GOOD, GOOD], True), ([GOOD, "other"], False)])
def test_without_the_variable_the_password_is_asked_for_twice(monkeypatch, typed, created):
    monkeypatch.delenv(create_account.PASSWORD_VARIABLE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    answers = iter(typed)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    if created:
        create()
    else:
        with pytest.raises(CommandError, match="differ"):
            create()
    assert Account.objects.exists() == created


def test_without_variable_and_terminal_the_variable_is_named(monkeypatch):
    monkeypatch.delenv(create_account.PASSWORD_VARIABLE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(CommandError, match=create_account.PASSWORD_VARIABLE):
        create()
