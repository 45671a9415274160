"""Services for applications and service accounts of an account; every change is recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from django.contrib.auth.hashers import make_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from erpbridge.access.levels import Level
from erpbridge.access.models import Account, Membership, Project, ProjectMembership, User
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.access.services.people import Levels
from erpbridge.audit.services import Note, Verb, note
from erpbridge.json_values import Json
from erpbridge.oauth import tokens
from erpbridge.oauth.models import Application

ENTITY = "application"
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MOST_REDIRECT_URIS = 20
LONGEST_REDIRECT_URI = 2000
# Reserved by RFC 2606: mail to it is never delivered.
SERVICE_DOMAIN = "service.invalid"


@dataclass(frozen=True)
class Service:
    """Rights of a service account: levels in the account and in each permitted project."""

    levels: Levels = field(default_factory=Levels)
    on_projects: Levels = field(default_factory=Levels)
    projects: Collection[Project] = ()
    can_push_to_accounting: bool = False


@dataclass(frozen=True)
class CreatedApplication:
    """An application with its secret, which cannot be read again later."""

    application: Application
    secret: str


@transaction.atomic
def create(
    name: str, *, by: Access, redirect_uris: Iterable[str] = (), service: Service | None = None
) -> CreatedApplication:
    """Create an application of the account; with ``service``, a service account.

    :raises ValidationError: for an invalid name or redirect URI.
    :raises PermissionDenied: for the approver's privilege from somebody who may not grant it.
    """
    secret = tokens.new_secret()
    application = Application(
        account=by.account,
        name=name.strip(),
        uid=tokens.new_secret(),
        secret_digest=tokens.digest(secret),
        redirect_uris=[checked_redirect_uri(uri) for uri in redirect_uris],
        created_by=by.user,
    )
    application.clean_fields(exclude=["service", "created_by"])
    if service is not None:
        application.service = _member(application, service, by=by)
    application.save()
    data = _created_data(application, service)
    note(by.account.pk, [_event(application, Verb.CREATED, data)], by=by.user)
    return CreatedApplication(application, secret)


def _member(application: Application, service: Service, *, by: Access) -> Membership:
    """Create the membership of a service account, on a login without a password."""
    if service.can_push_to_accounting and not (answer := by.can(Permission.PEOPLE_GRANT_APPROVER)):
        raise PermissionDenied(answer.why)
    user = User.objects.create(
        # Unique like the client ID; addresses are stored in lower case.
        email=f"{application.uid.lower()}@{SERVICE_DOMAIN}",
        name=application.name,
        is_service=True,
        # Unusable, so that nobody signs in with it.
        password=make_password(None),
    )
    member = Membership.objects.create(
        user=user,
        account=by.account,
        can_push_to_accounting=service.can_push_to_accounting,
        erp_digest=False,
        # No link to follow: whoever creates it vouches for it.
        confirmed_at=timezone.now(),
        **asdict(service.levels),
    )
    ProjectMembership.objects.bulk_create(
        ProjectMembership(membership=member, project=project, **asdict(service.on_projects))
        for project in service.projects
    )
    return member


def _created_data(application: Application, service: Service | None) -> dict[str, Json]:
    if service is None:
        return {"redirect_uris": application.redirect_uris}
    return {
        "levels": _words(service.levels),
        "on_projects": _words(service.on_projects),
        "projects": [str(project) for project in service.projects],
        "can_push_to_accounting": service.can_push_to_accounting,
    }


def _words(levels: Levels) -> dict[str, Json]:
    return {
        name: value.label if isinstance(value, Level) else value
        for name, value in asdict(levels).items()
    }


def checked_redirect_uri(uri: str) -> str:
    """Return the stripped URI. Requests must send exactly this text.

    :raises ValidationError: unless it is https, loopback or the out-of-band URI.
    """
    uri = uri.strip()
    if uri == OUT_OF_BAND:
        return uri
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        # Raises ValueError for an invalid port.
        _port = parts.port
    except ValueError:
        host = ""
    if (
        not host
        or len(uri) > LONGEST_REDIRECT_URI
        or any(ord(character) <= 32 for character in uri)
    ):
        raise ValidationError({"redirect_uris": f"“{uri[:100]}” is not an address."})
    # urlsplit does not report an empty fragment.
    if parts.fragment or "#" in uri:
        raise ValidationError({"redirect_uris": f"“{uri[:100]}” must not hold a #."})
    # http only on this machine, for native applications (RFC 8252, 7.3).
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        message = f"“{uri[:100]}”: must begin with https://, or lead to this machine."
        raise ValidationError({"redirect_uris": message})
    return uri


@transaction.atomic
def rotate_secret(application_id: int, *, by: Access) -> CreatedApplication:
    """Replace the secret. The old one is invalid at once; issued tokens stay valid."""
    application = _locked(application_id, by)
    secret = tokens.new_secret()
    application.secret_digest = tokens.digest(secret)
    application.save(update_fields=["secret_digest"])
    note(by.account.pk, [_event(application, "secret rotated", {})], by=by.user)
    return CreatedApplication(application, secret)


@transaction.atomic
def revoke_tokens(application_id: int, *, by: Access) -> int:
    """End all tokens of an application, which can request new ones. Return how many."""
    application = _locked(application_id, by)
    ended = tokens.end_all(application)
    note(by.account.pk, [_event(application, "tokens revoked", {"tokens": ended})], by=by.user)
    return ended


@transaction.atomic
def delete(application_id: int, *, by: Access) -> bool:
    """Delete an application; its row stays, since histories name it.

    :returns: False when somebody else has deleted it meanwhile.
    """
    try:
        application = _locked(application_id, by)
    except Application.DoesNotExist:
        return False
    tokens.end_all(application)
    application.deleted_at = timezone.now()
    application.save(update_fields=["deleted_at"])
    if application.service is not None:
        Membership.objects.filter(pk=application.service.pk).update(is_active=False)
        # Its login serves no other account.
        User.objects.filter(pk=application.service.user_id).update(is_active=False)
    note(by.account.pk, [_event(application, Verb.DELETED, {})], by=by.user)
    return True


def of_account(account: Account) -> QuerySet[Application]:
    """Return the applications that are not deleted."""
    return Application.objects.filter(account=account, deleted_at=None)


def _locked(application_id: int, by: Access) -> Application:
    # Only the application: the outer join to its membership cannot be locked on PostgreSQL.
    applications = Application.objects.select_for_update(of=("self",)).select_related("service")
    application: Application = applications.get(
        pk=application_id, account=by.account, deleted_at=None
    )
    return application


def _event(application: Application, verb: str, data: Mapping[str, Json]) -> Note:
    return Note(ENTITY, application.pk, application.name, verb, data=data)
