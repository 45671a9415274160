"""Create an account and change its settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from erpbridge.access.form_digest import in_words
from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, User
from erpbridge.access.policy import Access
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.db.text import login_email, plain_line

ENTITY = "account"


@dataclass(frozen=True)
class Settings:
    """The settings of an account that an admin can change."""

    name: str
    senders_may_accept_own: bool
    time_zone: str = ""


@transaction.atomic
def create(
    name: str, *, admin_email: str, admin_name: str = "", password: str | None = None
) -> Membership:
    """Create an account and its first admin, who can push to accounting and grant that right.

    Only the operator calls this. An existing login is used as it is and needs no password.

    :raises ValidationError: for an invalid account name or login.
    """
    account = Account(name=plain_line(name))
    account.full_clean()
    account.save()
    membership = Membership.objects.create(
        user=_login(admin_email, name=admin_name, password=password),
        account=account,
        directory=Level.ADMIN,
        admin=Level.ADMIN,
        erp_integrations=Level.ADMIN,
        can_push_to_accounting=True,
        # The operator vouches for the first admin, who needs no link to join.
        confirmed_at=timezone.now(),
    )
    data = {"admin": membership.user.email}
    note(account.pk, [Note(ENTITY, account.pk, account.name, Verb.CREATED, data=data)], by=None)
    return membership


@transaction.atomic
def configure(settings: Settings, *, by: Access) -> Account:
    """Save the account's settings.

    :raises ValidationError: for an invalid name.
    """
    # no_key: rows that refer to the account can still be inserted meanwhile.
    account: Account = Account.objects.select_for_update(no_key=True).get(pk=by.account.pk)
    before = _words(account)
    for name, value in asdict(settings).items():
        setattr(account, name, value)
    account.full_clean()
    account.save(update_fields=list(asdict(settings)))
    changed = changes(before, _words(account))
    if changed:
        event = Note(ENTITY, account.pk, account.name, Verb.CHANGED, data={"changes": changed})
        note(account.pk, [event], by=by.user)
    return account


def _words(account: Account) -> dict[str, str]:
    fields = Settings.__dataclass_fields__
    return in_words({name: getattr(account, name) for name in fields}, model=Account)


def _login(email: str, *, name: str, password: str | None) -> User:
    email = login_email(email)
    existing = User.objects.filter(email=email).first()
    if existing is not None:
        if existing.is_service:
            raise ValidationError({"admin's email": "This is a service account, not a person."})
        return existing
    user = User(email=email, name=plain_line(name))
    try:
        # The password is validated below, by the validators of the settings.
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        field_errors = error.update_error_dict({})
        raise ValidationError(
            {f"admin's {field}": field_errors[field] for field in field_errors}
        ) from error
    if password is None:
        raise ValidationError({"password": "A new login needs a password."})
    validate_password(password, user)
    return User.objects.create_user(email, password, name=user.name)
