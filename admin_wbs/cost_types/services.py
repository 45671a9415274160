"""All writes to cost types (docs/design/work-breakdown-structure.md, "Cost types")."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from admin_wbs.errors import IN_BUDGET_CODE, SegmentRefused
from admin_wbs.models import CostType, WbsCodeItem
from admin_wbs.segments import default_structure
from erpbridge.access.models import Account, User
from erpbridge.audit.services import Note, Verb, changes, note
from erpbridge.json_values import Json

COST_TYPE = "cost_type"
EDITABLE = ("code", "label", "base_type")


@transaction.atomic
def add(account: Account, *, code: str, label: str, base_type: str, by: User) -> CostType:
    """Add a cost type.

    :raises ValidationError: by field, for a missing value, one that is too long, or a code that
        is taken.
    """
    default_structure.ensure(account.pk)
    created = CostType(account=account, code=code.strip(), label=label.strip(), base_type=base_type)
    _save(created)
    _note(created, Verb.CREATED, by=by)
    return created


@transaction.atomic
def change(cost_type: CostType, *, values: Mapping[str, str], by: User) -> CostType:
    """Change code and label, and the base type of one that is not a default.

    :raises ValidationError: by field, for a missing value, one that is too long, or a code that
        is taken.
    :raises SegmentRefused: if it has been deleted, or its code cannot be changed.
    """
    stored = _locked(cost_type)
    names = [name for name in EDITABLE if name in values]
    if stored.is_default and "base_type" in names:
        # Ignored and not refused: the form hands on the stored value of its disabled field.
        names.remove("base_type")
    before = {name: getattr(stored, name) for name in names}
    changed = changes(before, {name: values[name].strip() for name in names})
    if not changed:
        return stored
    if "code" in changed and stored.in_wbs_codes.exists():
        raise SegmentRefused(f"The code of {stored} stays. {IN_BUDGET_CODE}")
    for name, (_old, new) in changed.items():
        setattr(stored, name, new)
    _save(stored, update_fields=list(changed))
    _note(stored, Verb.EDITED, by=by, data={"changes": changed})
    return stored


def delete_refusal(cost_type: CostType) -> str | None:
    """Why a cost type cannot be deleted; None if it can."""
    if cost_type.is_default:
        return "It is one of the seven defaults. Its code and label can be changed."
    count = cost_type.ticks.count()
    if count:
        return f"It is ticked for {count:,} cost code{'' if count == 1 else 's'}."
    return WbsCodeItem.objects.uses("cost_type", [cost_type.pk]).get(cost_type.pk)


@transaction.atomic
def delete(cost_type: CostType, *, by: User) -> None:
    """Delete a cost type that nothing uses. :raises SegmentRefused: with the reason."""
    stored = _locked(cost_type)
    why = delete_refusal(stored)
    if why:
        raise SegmentRefused(why)
    # Before the deletion, which takes the id off the row.
    _note(stored, Verb.DELETED, by=by)
    stored.delete()


def _locked(cost_type: CostType) -> CostType:
    # Without no_key: no row that refers to the cost type may be stored meanwhile.
    rows = CostType.objects.select_for_update()
    stored: CostType | None = rows.filter(pk=cost_type.pk).first()
    if stored is None:
        raise SegmentRefused(f"{cost_type} has been deleted.")
    return stored


def _save(cost_type: CostType, update_fields: list[str] | None = None) -> None:
    """:raises ValidationError: for an invalid value, or a code that is taken, even concurrently."""
    # Constraints are left to the database, which knows of concurrent requests too.
    cost_type.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            cost_type.save(update_fields=update_fields)
    except IntegrityError as error:
        message = f"Another cost type has the code {cost_type.code}."
        raise ValidationError({"code": message}) from error


def _note(
    cost_type: CostType, verb: Verb, *, by: User, data: Mapping[str, Json] | None = None
) -> None:
    event = Note(COST_TYPE, cost_type.pk, str(cost_type), verb, data=data or {})
    note(cost_type.account_id, [event], by=by)
