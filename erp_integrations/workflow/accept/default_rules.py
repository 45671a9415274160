"""Default rules: acceptance values by the beginning of a record's code.

They are applied when a record is sent, or when an approver asks for it, and never during
acceptance: an approver sees every value before accepting it.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.connections import services as connection_services
from erp_integrations.connections.adapter_loading import ENTITY
from erp_integrations.models import AcceptanceDefault, Connection
from erp_integrations.models.connections import ConnectionEvent
from erp_integrations.workflow.accept.field_choices import Offers
from erpbridge.access.models import User
from erpbridge.audit.models import Event
from erpbridge.db.text import fold


class Defaults:
    """The default rules of a connection for one record type, loaded once for many records."""

    def __init__(self, connection: Connection, manifest: EntityManifest) -> None:
        names = {acceptance_field.name for acceptance_field in manifest.acceptance_fields}
        rows = AcceptanceDefault.objects.filter(connection=connection, entity=manifest.entity)
        # Sorted by length, so that in :meth:`of` the longest matching beginning overwrites others.
        self.rules = sorted(
            (row for row in rows if row.field in names), key=lambda row: len(row.starts_with)
        )
        self.code = manifest.key[0]

    def of(self, payload: Mapping[str, object]) -> dict[str, str]:
        """Return field -> default value for one record."""
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
    """Add a rule, with its audit event.

    :raises ValidationError: with messages by field, if the ERP does not take the field or value, or
        there is a rule for the same field and beginning.
    """
    acceptance_field = next(
        (candidate for candidate in manifest.acceptance_fields if candidate.name == field), None
    )
    if acceptance_field is None:
        raise ValidationError({"field": "The ERP has no such field. Choose another one."})
    if why := Offers(connection, manifest).why_not(acceptance_field, value.strip()):
        raise ValidationError({"value": why})
    rule = AcceptanceDefault(
        connection=connection,
        entity=manifest.entity,
        field=field,
        starts_with=starts_with.strip(),
        value=value.strip(),
    )
    # The constraint below reports duplicates, also of two simultaneous requests. The inner
    # ``atomic`` is a savepoint: after an IntegrityError PostgreSQL refuses statements until it is
    # rolled back, and the caller may go on in its transaction.
    rule.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            rule.save()
    except IntegrityError as error:
        message = "There is a rule for this field and this beginning. Remove it first."
        raise ValidationError({"starts_with": message}) from error
    _note(rule, ConnectionEvent.DEFAULT_ADDED, by=by)
    return rule


@transaction.atomic
def remove(connection: Connection, pk: int, *, by: User) -> bool:
    """Delete a rule, with its audit event. Values that it has filled in stay.

    :returns: False if it had been deleted before.
    :raises AcceptanceDefault.DoesNotExist: if the connection never had this rule.
    """
    rules = AcceptanceDefault.objects.filter(connection=connection, pk=pk)
    # Locked, so that of two simultaneous requests one deletes the rule and writes the event.
    rule = rules.select_for_update().first()
    if rule is None and not _was_removed(connection, pk):
        raise AcceptanceDefault.DoesNotExist
    if rule is not None:
        _note(rule, ConnectionEvent.DEFAULT_REMOVED, by=by)
        rule.delete()
    return rule is not None


def _was_removed(connection: Connection, pk: int) -> bool:
    events = Event.objects.about(connection.account_id, ENTITY, connection.pk)
    return events.filter(verb=ConnectionEvent.DEFAULT_REMOVED, data__rule=pk).exists()


def _note(rule: AcceptanceDefault, verb: ConnectionEvent, *, by: User) -> None:
    values = {"field": rule.field, "starts_with": rule.starts_with, "value": rule.value}
    connection_services.note_event(rule.connection, verb, by=by, **values, rule=rule.pk)
