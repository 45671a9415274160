"""Steps of tests of cost codes: create a tree, send it, accept it with accounts, export it."""

from __future__ import annotations

from collections.abc import Iterable

from admin_wbs.cost_codes import services as code_services
from admin_wbs.erp import send as send_to_erp
from admin_wbs.models import CodeList, CostCode
from erp_integrations.models import Connection, Item
from erp_integrations.sendable import Done
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.access.models import User
from erpbridge.access.policy import Access
from tests.erp_integrations import steps

INCOME = "4000"


def tree(code_list: CodeList, by: User, *rows: str) -> dict[str, CostCode]:
    """Codes by full code, from rows such as ``"01-100 Surveying"``."""
    split = [row.split(" ", 1) for row in rows]
    made = code_services.add_many(
        code_list, [(code.split("-"), text) for code, text in split], by=by
    )
    return {cost_code.full_code: cost_code for cost_code in made}


def send(code_list: CodeList, access: Access, *chosen: CostCode) -> Done:
    """Everything unsent, or the chosen codes, from a fresh page."""
    code_list.refresh_from_db()
    ids = [code.pk for code in chosen] or None
    return send_to_erp.send(code_list, access=access, seen=code_list.revision, ids=ids)


def waiting(code_list: CodeList) -> list[Item]:
    """The items that wait for accounting, parents first."""
    records = code_list.codes.values("pk")
    items = Item.objects.filter(entity="cost_code", record_id__in=records, state="ready")
    return list(items.order_by("depth", "pk"))


def accept(items: Iterable[Item], access: Access, **values: str) -> Done:
    """Accept with an income account for each."""
    given = {"income_account": INCOME, **values}
    decisions = [accept_services.Decision(item.pk, item.digest, given) for item in items]
    return accept_services.accept(decisions, entity="cost_code", access=access)


def states(code_list: CodeList) -> dict[str, str]:
    """Full code -> the ERP state that the list shows."""
    return dict(code_list.codes.order_by("sort_path").values_list("full_code", "erp_state"))


def in_erp(connection: Connection) -> list[tuple[str, str]]:
    """Code and name of everything in the ERP's own books."""
    return [(record.erp_code, record.data["description"]) for record in _records(connection)]


def _records(connection: Connection) -> list:
    return steps.adapter_of(connection).pull("cost_code").records
