"""Default rules: which acceptance value a record gets by the beginning of its code.

Filled in when a record is sent, for the approver to look at; never at accepting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.models import AcceptanceDefault, Connection
from erp_integrations.workflow.accept.field_choices import Offers
from erpbridge.access.models import User
from erpbridge.audit.models import Event
from erpbridge.audit.services import Note, note
from erpbridge.db.text import fold

ENTITY = "connection"


class Defaults:
    """The rules of a connection for one record type, read once."""

    def __init__(self, connection: Connection, manifest: EntityManifest) -> None:
        names = {one.name for one in manifest.acceptance_fields}
        rows = AcceptanceDefault.objects.filter(connection=connection, entity=manifest.entity)
        # The longest beginning decides.
        self.rules = sorted(
            (row for row in rows if row.field in names), key=lambda row: len(row.starts_with)
        )
        self.code = manifest.key[0]

    def of(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Field -> value for one record."""
        code = fold(str(payload.get(self.code) or ""))
        return {
            rule.field: rule.value for rule in self.rules if code.startswith(fold(rule.starts_with))
        }


@transaction.atomic
def add(
    connection: Connection,
    manifest: EntityManifest,
    *,
    field: str,
    starts_with: str,
    value: str,
    by: User,
) -> AcceptanceDefault:
    """A new rule. :raises ValidationError: by field, for a bad value or a second one alike."""
    asked = next((one for one in manifest.acceptance_fields if one.name == field), None)
    if asked is None:
        raise ValidationError({"field": "This ERP does not ask for that."})
    if why := Offers(connection, manifest).why_not(asked, value.strip()):
        raise ValidationError({"value": why})
    rule = AcceptanceDefault(
        connection=connection,
        entity=manifest.entity,
        field=field,
        starts_with=starts_with.strip(),
        value=value.strip(),
    )
    rule.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            rule.save()
    except IntegrityError as error:
        message = "There is a rule for this field and this beginning. Remove it first."
        raise ValidationError({"starts_with": message}) from error
    _note(rule, "default_added", by=by)
    return rule


@transaction.atomic
def remove(connection: Connection, pk: int, *, by: User) -> bool:
    """Forget a rule of a connection; values that it has filled in stay.

    :returns: False where somebody has removed it already.
    :raises AcceptanceDefault.DoesNotExist: for a rule that the connection never had.
    """
    rules = AcceptanceDefault.objects.filter(connection=connection, pk=pk)
    rule = rules.select_for_update().first()
    if rule is None and not _removed(connection, pk):
        raise AcceptanceDefault.DoesNotExist
    if rule is not None:
        _note(rule, "default_removed", by=by)
        rule.delete()
    return rule is not None


def _removed(connection: Connection, pk: int) -> bool:
    events = Event.objects.about(connection.account_id, ENTITY, connection.pk)
    return events.filter(verb="default_removed", data__rule=pk).exists()


def _note(rule: AcceptanceDefault, verb: str, *, by: User) -> None:
    connection = rule.connection
    values = {"field": rule.field, "starts_with": rule.starts_with, "value": rule.value}
    data = {**values, "rule": rule.pk}
    one = Note(ENTITY, connection.pk, connection.name, verb, data=data)
    note(connection.account_id, [one], by=by)
