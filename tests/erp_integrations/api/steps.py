"""Steps of the stories over HTTP: a connection, companies, what an answer says."""

from __future__ import annotations

from typing import Any

from erp_integrations.models import Connection, Item
from tests.erp_integrations import steps

connect, export, break_erp, let_pass = (
    steps.connect,
    steps.export,
    steps.break_erp,
    steps.let_pass,
)


def company_of(api: Any, path: str) -> str:
    """An address under the caller's company."""
    return f"companies/{api.company}/{path}"


def send(api: Any, record_id: int, body: Any = None, **headers: str) -> Any:
    path = company_of(api, f"vendors/{record_id}/actions/send_to_erp")
    return api.post(path, body, **headers)


def act(api: Any, item: Item | int, action: str, body: Any = None, **headers: str) -> Any:
    pk = item if isinstance(item, int) else item.pk
    return api.post(company_of(api, f"erp_queue/{pk}/actions/{action}"), body, **headers)


def queue(api: Any, query: str = "") -> Any:
    return api.get(company_of(api, f"erp_queue{query}"))


def show(api: Any, item: Item | int) -> Any:
    pk = item if isinstance(item, int) else item.pk
    return api.get(company_of(api, f"erp_queue/{pk}"))


def a_type(connection: Connection) -> str:
    return str(connection.choices.filter(kind="vendor_type").order_by("code")[0].code)
