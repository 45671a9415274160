"""Cost codes of the demo: in the ERP, waiting for accounting, rejected, and unsent ones."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile

from admin_wbs.cost_codes import list_services
from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.importing import starter
from admin_wbs.models import CodeList
from erp_integrations.connections import adapter_loading
from erp_integrations.export import engine
from erp_integrations.models import Connection, Item
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.workflow.accept import default_rules
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.access import policy
from erpbridge.access.models import User
from erpbridge.access.policy import Access

# Divisions of the starter list that are in the ERP, waiting for accounting, and not sent yet.
SYNCED = ("10", "15")
WAITING = ("20", "25")
UNSENT = ("30", "35")
REJECTED = "25-070"
WHY = "Testing is booked with what is tested. Please take it out, or ask me for another account."
# The simulator's ledger account for contract income.
INCOME = "4000"
RULED = "25"


def load(connection: Connection, *, sender: str, approver: str) -> CodeList | None:
    """Fill the code list of a tested connection; None if the list was ever changed.

    :param sender: e-mail address of the sender of the codes, a member of the account.
    :param approver: e-mail address of the approver, also a member.
    """
    cora, pat = _access(sender, connection), _access(approver, connection)
    code_list = list_services.erp_list(connection.account_id)
    # With a higher revision somebody has worked with the list.
    if code_list is None or code_list.revision > 1 or cora is None or pat is None:
        return None
    with _quietly():
        code_services.add_many(code_list, _rows((*SYNCED, *WAITING, *UNSENT)), by=cora.user)
        _send(code_list, SYNCED, by=cora)
        _accept(connection, by=pat)
        engine.drain(connection.pk)
        _add_rule(connection, by=pat)
        _send(code_list, WAITING, by=cora)
        rejected = _items(connection).filter(label__startswith=f"{REJECTED} ")
        accept_services.reject(rejected, entity=list_services.CODE, reason=WHY, access=pat)
    return code_list


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the log lines of every export, to keep the command's output readable."""
    logger = logging.getLogger("erp_integrations")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _access(email: str, connection: Connection) -> Access | None:
    user = User.objects.filter(email=email).first()
    return policy.load(user, connection.account) if user else None


def _rows(divisions: Iterable[str]) -> list[tuple[list[str], str]]:
    """Return the rows of some divisions of the starter list: path and description."""
    # Without the heading.
    table = csv.reader(starter.content().decode().splitlines()[1:])
    rows = [(list(takewhile(bool, levels)), text) for *levels, text in table]
    return [(path, text) for path, text in rows if path[0] in divisions]


def _send(code_list: CodeList, divisions: Iterable[str], *, by: Access) -> None:
    # Each step raises the revision that the sender must have seen.
    code_list.refresh_from_db()
    rows = code_list.codes.filter(path__0__in=list(divisions))
    ids = list(rows.values_list("pk", flat=True))
    send_to_erp.send(code_list, access=by, seen=code_list.revision, ids=ids)


def _items(connection: Connection) -> ItemQuerySet:
    return Item.objects.filter(connection=connection, entity=list_services.CODE, state="ready")


def _accept(connection: Connection, *, by: Access) -> None:
    """Accept all ready items, with the ledger account where the ERP requires one."""
    manifest = adapter_loading.entity_manifest(connection, list_services.CODE)
    required = (
        [
            acceptance_field.name
            for acceptance_field in manifest.acceptance_fields
            if acceptance_field.required
        ]
        if manifest
        else []
    )
    values = dict.fromkeys(required, INCOME)
    decisions = [
        accept_services.Decision(item.pk, item.digest, values) for item in _items(connection)
    ]
    accept_services.accept(decisions, entity=list_services.CODE, access=by)


def _add_rule(connection: Connection, *, by: Access) -> None:
    """Add a default rule for one of the waiting divisions, if the ERP requires a field."""
    manifest = adapter_loading.entity_manifest(connection, list_services.CODE)
    if manifest is None:
        return
    for field in manifest.acceptance_fields:
        if field.required:
            default_rules.add(
                connection,
                manifest,
                field=field.name,
                starts_with=RULED,
                value=INCOME,
                by=by.user,
            )
