"""All writes to lists of cost codes, and whether a list takes changes now.

Whoever changes a list or a code of it locks the list's row first, so that of two people who
change the same tree one waits for the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

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
from erpbridge.audit.services import Note, changes, note
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
    """A further list. :raises ValidationError: for a bad name, or one that is taken."""
    found = CodeList(account=account, name=name.strip(), for_new_projects=for_new_projects)
    _save(found)
    note(account.pk, [Note(LIST, found.pk, found.name, "created")], by=by)
    return found


@transaction.atomic
def make_erp(found: CodeList, *, by: User) -> None:
    """Make a list the ERP Standard Cost Codes of an account without a connection; for good.

    :raises ValidationError: where the account's ERP has its list already.
    """
    found = lock(found.pk)
    if found.is_erp:
        return
    own = erp_list(found.account_id) or _awaiting(found.account_id).first()
    if own is not None:
        raise ValidationError({"is_erp_list": HAS_ONE.format(name=own.name)})
    found.awaits_erp = True
    try:
        with transaction.atomic():
            found.save(update_fields=["awaits_erp"])
    except IntegrityError as error:
        message = HAS_ONE.format(name="another one, made at this moment")
        raise ValidationError({"is_erp_list": message}) from error
    note(found.account_id, [Note(LIST, found.pk, found.name, "became_erp_list")], by=by)
    present = sendable.connected(found.account_id, CODE)
    if present is not None:  # of a connection from before there were cost codes
        connected(present, found.account_id)


@transaction.atomic
def change(found: CodeList, *, values: Mapping[str, Any], by: User) -> None:
    """Change name and settings; the list of a connected ERP keeps its name.

    :raises ValidationError: for a bad name, or one that is taken.
    """
    found = CodeList.objects.select_for_update(no_key=True).get(pk=found.pk)
    names = ("for_new_projects",) if found.connection_id else ("name", "for_new_projects")
    before = {name: getattr(found, name) for name in names}
    changed = changes(before, {name: values[name] for name in names if name in values})
    if not changed:
        return
    for name, (_old, new) in changed.items():
        setattr(found, name, new.strip() if name == "name" else new)
    _save(found, update_fields=list(changed))
    one = Note(LIST, found.pk, found.name, "edited", data={"changes": changed})
    note(found.account_id, [one], by=by)


def connected(found: Connected, account_id: int) -> CodeList:
    """The ERP Standard Cost Codes of a connection, had when it becomes the account's.

    It is the list that awaits an ERP, where the account has one, with its name and its codes;
    otherwise a new one.
    """
    return _adopted(found, account_id) or _made(found, account_id)


def _awaiting(account_id: int) -> CodeListQuerySet:
    """The ERP list of an account that no ERP has taken yet."""
    return CodeList.objects.filter(account=account_id, awaits_erp=True)


def _adopted(found: Connected, account_id: int) -> CodeList | None:
    """The list that awaited an ERP, now the connection's; None where none did, or it has one."""
    if CodeList.objects.filter(connection_id=found.connection_id).exists():
        return None
    awaiting = _awaiting(account_id).select_for_update(no_key=True).first()
    if awaiting is None:
        return None
    awaiting.awaits_erp, awaiting.connection_id = False, found.connection_id
    awaiting.save(update_fields=["awaits_erp", "connection_id"])
    said = f"Taken by {found.name} ({found.label})"
    one = Note(LIST, awaiting.pk, awaiting.name, "connected", note=said)
    note(account_id, [one], by=None)
    return awaiting


def _made(found: Connected, account_id: int) -> CodeList:
    name = f"{found.label} Standard Cost Codes"
    taken = CodeList.objects.filter(account=account_id, name_key=key(name))
    if taken.exclude(connection_id=found.connection_id).exists():
        name = f"{name} ({found.name})"
    made, new = CodeList.objects.get_or_create(
        connection_id=found.connection_id, defaults={"account_id": account_id, "name": name[:150]}
    )
    if new:
        note(account_id, [Note(LIST, made.pk, made.name, "created")], by=None)
    return made


def erp_list(account_id: int) -> CodeList | None:
    """The list that belongs to the account's present ERP; None without one."""
    present = sendable.connected(account_id, CODE)
    if present is None:
        return None
    return CodeList.objects.filter(connection_id=present.connection_id).first()


def read_only(found: CodeList) -> str:
    """Why the list takes no changes here; empty where it does."""
    if not found.is_erp:
        return ""
    present = sendable.connected(found.account_id, CODE)
    if found.awaits_erp:
        return OTHER_LIST if present else ""
    if present is None or present.connection_id != found.connection_id:
        return DISCONNECTED
    if present.erp_owns:
        return (
            f"{present.label} owns these cost codes: they are made there, and fetched with "
            "Refresh from ERP."
        )
    return ""


def lock(list_id: int) -> CodeList:
    """The list, locked until the end of the transaction."""
    return CodeList.objects.select_for_update(no_key=True).get(pk=list_id)


def lock_many(list_ids: Iterable[int]) -> list[CodeList]:
    """Several lists, locked in the order of their ids, so that no two callers wait in a circle."""
    rows = CodeList.objects.select_for_update(no_key=True)
    return list(rows.filter(pk__in=set(list_ids)).order_by("pk"))


def open_many(list_ids: Iterable[int], *, by: User | None) -> list[CodeList]:
    """:func:`open_for_change` for several lists, all or none. :raises ReadOnly:"""
    found = lock_many(list_ids)
    for one in found:
        refuse_read_only(one)
    _touch([one.pk for one in found], by=by)
    return found


def open_for_change(list_id: int, *, by: User | None) -> CodeList:
    """Lock the list and count the change that follows. :raises ReadOnly: with the reason."""
    return touch(lock_open(list_id), by=by)


def lock_open(list_id: int) -> CodeList:
    """Lock the list for a change that may turn out to be none. :raises ReadOnly:"""
    found = lock(list_id)
    refuse_read_only(found)
    return found


def refuse_read_only(found: CodeList) -> None:
    """:raises ReadOnly: with the reason, where the list takes no changes."""
    why = read_only(found)
    if why:
        raise ReadOnly(why)


def touch(found: CodeList, *, by: User | None) -> CodeList:
    """Note that the locked list changes, so that pages opened before can tell."""
    _touch([found.pk], by=by)
    found.refresh_from_db(fields=["revision", "changed_at", "changed_by"])
    return found


def _touch(list_ids: Collection[int], *, by: User | None) -> None:
    rows = CodeList.objects.filter(pk__in=list_ids)
    rows.update(revision=F("revision") + 1, changed_at=Now(), changed_by=by)


def _save(found: CodeList, **how: Any) -> None:
    """:raises ValidationError: for a bad name, or one that is taken, even at this very moment."""
    found.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            found.save(**how)
    except IntegrityError as error:
        raise ValidationError({"name": "A list of this name exists already."}) from error
