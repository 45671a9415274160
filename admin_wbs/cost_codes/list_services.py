"""All writes to lists of cost codes, and whether a list can be changed.

Every change of a list or of one of its codes locks the list's row first, so that two people who
change the same tree wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from admin_wbs.errors import ReadOnly
from admin_wbs.models import CodeList
from admin_wbs.models.querysets.cost_codes import CodeListQuerySet
from erp_integrations import sendable
from erp_integrations.sendable import Connected
from erpbridge.access.models import Account, User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.db.text import key

LIST = "cost_code_list"
CODE = "cost_code"
DISCONNECTED = (
    "This list belongs to an ERP that is not connected any more, so it can only be read. "
    "Its codes can be copied into another list."
)
AWAITS = (
    "No ERP is connected to this account. These are its ERP Standard Cost Codes: they can be made "
    "here, and the ERP that is connected first takes this list as its own. Until then nothing can "
    "be sent."
)
OTHER_LIST = (
    "The connected ERP has a list of its own, so this one can only be read. "
    "Its codes can be copied into another list."
)
HAS_ONE = "cannot be set: the company's ERP has its list already: {name}"


@transaction.atomic
def create(*, account: Account, name: str, by: User, for_new_projects: bool = True) -> CodeList:
    """Create a list. :raises ValidationError: for an invalid name, or one that is taken."""
    code_list = CodeList(account=account, name=name.strip(), for_new_projects=for_new_projects)
    _save(code_list)
    note(account.pk, [Note(LIST, code_list.pk, code_list.name, Verb.CREATED)], by=by)
    return code_list


@transaction.atomic
def make_erp(code_list: CodeList, *, by: User) -> None:
    """Make a list the ERP Standard Cost Codes of an account without a connection; permanent.

    :raises ValidationError: if the account's ERP has its list already.
    """
    code_list = lock(code_list.pk)
    # Asked for twice is no error: the list is what the caller wants it to be.
    if code_list.is_erp:
        return
    erp_code_list = erp_list(code_list.account_id) or _awaiting(code_list.account_id).first()
    if erp_code_list is not None:
        raise ValidationError({"is_erp_list": HAS_ONE.format(name=erp_code_list.name)})
    code_list.awaits_erp = True
    try:
        with transaction.atomic():
            code_list.save(update_fields=["awaits_erp"])
    except IntegrityError as error:
        message = HAS_ONE.format(name="another one, made at this moment")
        raise ValidationError({"is_erp_list": message}) from error
    note(code_list.account_id, [Note(LIST, code_list.pk, code_list.name, "became_erp_list")], by=by)
    connection = sendable.connected(code_list.account_id, CODE)
    # A connection from before cost codes existed has no list yet.
    if connection is not None:
        connected(connection, code_list.account_id)


@transaction.atomic
def change(code_list: CodeList, *, values: Mapping[str, object], by: User) -> None:
    """Change name and settings. The list of a connected ERP keeps its name.

    :raises ValidationError: for an invalid name, or one that is taken.
    """
    code_list = CodeList.objects.select_for_update(no_key=True).get(pk=code_list.pk)
    # docs/design/work-breakdown-structure.md, "Cost codes": the ERP list comes with its connection.
    names = ("for_new_projects",) if code_list.connection_id else ("name", "for_new_projects")
    before = {name: getattr(code_list, name) for name in names}
    changed = changes(before, {name: values[name] for name in names if name in values})
    if not changed:
        return
    for name, (_old, new) in changed.items():
        setattr(code_list, name, new.strip() if name == "name" else new)
    _save(code_list, update_fields=list(changed))
    event = Note(LIST, code_list.pk, code_list.name, Verb.EDITED, data={"changes": changed})
    note(code_list.account_id, [event], by=by)


def connected(connection: Connected, account_id: int) -> CodeList:
    """The ERP Standard Cost Codes of a connection; created when the ERP is connected.

    If the account has a list that awaits an ERP, that list is used, with its name and codes.
    """
    return _adopt_erp_list(connection, account_id) or _create_erp_list(connection, account_id)


def _awaiting(account_id: int) -> CodeListQuerySet:
    """The ERP list of an account that no connection has taken yet."""
    return CodeList.objects.filter(account=account_id, awaits_erp=True)


def _adopt_erp_list(connection: Connected, account_id: int) -> CodeList | None:
    """Give the waiting list to the connection; None if there is none, or it has a list."""
    # A connection that is switched to again already has its list from the first time.
    if CodeList.objects.filter(connection_id=connection.connection_id).exists():
        return None
    # The one lock against the order, connection before list (docs/locks.md, "The order").
    awaiting = _awaiting(account_id).select_for_update(no_key=True).first()
    if awaiting is None:
        return None
    awaiting.awaits_erp, awaiting.connection_id = False, connection.connection_id
    awaiting.save(update_fields=["awaits_erp", "connection_id"])
    message = f"Taken by {connection.name} ({connection.label})"
    event = Note(LIST, awaiting.pk, awaiting.name, "connected", note=message)
    note(account_id, [event], by=None)
    return awaiting


def _create_erp_list(connection: Connected, account_id: int) -> CodeList:
    name = f"{connection.label} Standard Cost Codes"
    # Names are unique per account; if the name is taken, add the connection's own name.
    taken = CodeList.objects.filter(account=account_id, name_key=key(name))
    if taken.exclude(connection_id=connection.connection_id).exists():
        name = f"{name} ({connection.name})"
    # Not an error if it exists: the same connection may be taken into use again.
    created, new = CodeList.objects.get_or_create(
        connection_id=connection.connection_id,
        defaults={"account_id": account_id, "name": name[:150]},
    )
    if new:
        note(account_id, [Note(LIST, created.pk, created.name, Verb.CREATED)], by=None)
    return created


def erp_list(account_id: int) -> CodeList | None:
    """The list of the account's connected ERP; None without a connection."""
    connection = sendable.connected(account_id, CODE)
    if connection is None:
        return None
    return CodeList.objects.filter(connection_id=connection.connection_id).first()


def read_only(code_list: CodeList) -> str | None:
    """Why the list cannot be changed here; None if it can."""
    if not code_list.is_erp:
        return None
    # A connected ERP that has a list of its own never takes this one.
    if code_list.awaits_erp:
        return OTHER_LIST if code_list.connected else None
    if code_list.erp is None:
        return DISCONNECTED
    if code_list.erp_owns:
        return (
            f"{code_list.erp.label} owns these cost codes: they are made there, and fetched with "
            "Refresh from ERP."
        )
    return None


def lock(list_id: int) -> CodeList:
    """Lock the list until the end of the transaction."""
    # no_key: rows that refer to the list can be inserted meanwhile.
    return CodeList.objects.select_for_update(no_key=True).get(pk=list_id)


def lock_many(list_ids: Iterable[int]) -> list[CodeList]:
    """Lock several lists in the order of their ids, to avoid deadlocks."""
    rows = CodeList.objects.select_for_update(no_key=True)
    return list(rows.filter(pk__in=set(list_ids)).order_by("pk"))


def open_many(list_ids: Iterable[int], *, by: User | None) -> list[CodeList]:
    """:func:`open_for_change` for several lists, all or none. :raises ReadOnly:"""
    code_lists = lock_many(list_ids)
    for code_list in code_lists:
        refuse_read_only(code_list)
    _touch([code_list.pk for code_list in code_lists], by=by)
    return code_lists


def open_for_change(list_id: int, *, by: User | None) -> CodeList:
    """Lock the list and raise its revision. :raises ReadOnly: with the reason."""
    return touch(lock_open(list_id), by=by)


def lock_open(list_id: int) -> CodeList:
    """Lock a list before a change that may turn out to be empty. :raises ReadOnly:"""
    code_list = lock(list_id)
    refuse_read_only(code_list)
    return code_list


def refuse_read_only(code_list: CodeList) -> None:
    """:raises ReadOnly: with the reason, if the list cannot be changed."""
    why = read_only(code_list)
    if why:
        raise ReadOnly(why)


def touch(code_list: CodeList, *, by: User | None) -> CodeList:
    """Raise the revision of a locked list, so that open pages can tell that they are stale."""
    _touch([code_list.pk], by=by)
    code_list.refresh_from_db(fields=["revision", "changed_at", "changed_by"])
    return code_list


def _touch(list_ids: Collection[int], *, by: User | None) -> None:
    rows = CodeList.objects.filter(pk__in=list_ids)
    rows.update(revision=F("revision") + 1, changed_at=Now(), changed_by=by)


def _save(code_list: CodeList, update_fields: list[str] | None = None) -> None:
    """:raises ValidationError: for an invalid name, or one that is taken, even concurrently."""
    # Without constraints: they are left to the database, which knows of concurrent requests too.
    code_list.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            code_list.save(update_fields=update_fields)
    except IntegrityError as error:
        raise ValidationError({"name": "A list of this name exists already."}) from error
