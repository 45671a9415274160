"""``manage.py export_vendor``: send one vendor and accept it, as two users with the rights."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from erp_integrations.adapters.base import EntityManifest
from erp_integrations.connections import adapter_loading
from erp_integrations.models import Choice, Item
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import State
from erp_integrations.workflow.accept import id_proposals
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.accept.services import Decision
from erp_integrations.workflow.bulk_requests import Done
from erp_integrations.workflow.send import services as send_services
from erpbridge.access import policy
from erpbridge.access.models import Account, Membership
from erpbridge.access.permissions import Permission
from erpbridge.access.policy import Access
from erpbridge.db.numbers import LARGEST_ID

ENTITY = "vendor"


class Command(BaseCommand):
    """Sends and accepts a vendor with the services that the pages use."""

    help = "Sends a vendor as an entitled user and accepts it as an approver; does not wait."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the vendor's id."""
        parser.add_argument("vendor", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        """Send and accept.

        :raises CommandError: if the pages would refuse it, with the same message.
        """
        pk = options["vendor"]
        account = _account_of(pk)
        item = _waiting(account, pk) or _sent(account, pk)
        approver = _approver(account, item)
        decision = Decision(item.pk, item.digest, _values(item))
        _refuse(accept_services.accept([decision], entity=ENTITY, access=approver))
        self.stdout.write(f"Accepted {item.label} ({item.public_id}) as {approver.user}.")


def _account_of(pk: int) -> Account:
    rows: Any = record_type(ENTITY).model._base_manager.filter(pk=pk) if pk <= LARGEST_ID else None
    record = rows.select_related("account").first() if rows is not None else None
    if record is None:
        raise CommandError(f"There is no vendor {pk}.")
    account: Account = record.account
    return account


def _waiting(account: Account, pk: int) -> Item | None:
    items = Item.objects.filter(account=account, entity=ENTITY, record_id=pk, state=State.READY)
    return items.select_related("sent_by", "connection").first()


def _sent(account: Account, pk: int) -> Item:
    """:raises CommandError: with all reasons if it cannot be sent."""
    kind = record_type(ENTITY)
    sender = next((access for access in _members(account) if access.can(kind.send_action)), None)
    if sender is None:
        raise CommandError(f"Nobody in {account} may send vendors.")
    _refuse(send_services.send(ENTITY, [pk], access=sender))
    item = _waiting(account, pk)
    assert item is not None
    return item


def _approver(account: Account, item: Item) -> Access:
    """A member who may accept the item; its sender only if the account allows that."""
    approvers = [
        access for access in _members(account) if access.can(Permission.ITEMS_ACCEPT, ENTITY)
    ]
    not_sender = [access for access in approvers if access.user != item.sent_by]
    candidates = not_sender or (approvers if account.senders_may_accept_own else [])
    if not candidates:
        raise CommandError(f"Nobody in {account} may accept what {item.sent_by} has sent.")
    return candidates[0]


def _members(account: Account) -> Iterator[Access]:
    for member in Membership.objects.active().filter(account=account).order_by("pk"):
        access = policy.load(member.user, account)
        if access is not None:
            yield access


def _values(item: Item) -> dict[str, object]:
    """Acceptance values: the proposed ones, and the first choice of each required list."""
    manifest = adapter_loading.entity_manifest(item.connection, ENTITY)
    if manifest is None:
        return {}
    # Writes the proposals into ``item.acceptance``.
    id_proposals.propose(item.connection, manifest, [item])
    return {**_first_choices(item, manifest), **item.acceptance}


def _first_choices(item: Item, manifest: EntityManifest) -> dict[str, object]:
    choices = Choice.objects.filter(connection=item.connection, active=True)
    first: dict[str, str] = {}
    for kind, code in choices.order_by("kind", "label").values_list("kind", "code"):
        first.setdefault(kind, code)
    fields = [
        field for field in manifest.acceptance_fields if field.required and field.choices in first
    ]
    return {field.name: first[field.choices] for field in fields}


def _refuse(done: Done) -> None:
    if not done.done:
        reasons = [problem.message for refusal in done.refused for problem in refusal.problems]
        raise CommandError(" ".join(reasons) or "It is not there any more.")
