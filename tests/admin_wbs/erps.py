"""Tryton as the account's ERP for cost codes; nothing here needs it to run."""

from __future__ import annotations

from dataclasses import replace

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erp_integrations.adapters.tryton import TrytonAdapter
from erp_integrations.connections import services as connection_services
from erpbridge.access.models import Account, User
from tests.factories import ConnectionFactory


def connect(account: Account, *, by: User) -> CodeList:
    """Make a Tryton the account's ERP; returns the list that was created for it."""
    connection = ConnectionFactory.create(account=account, adapter="tryton", name="Books")
    connection_services.activate(connection, by=by)
    code_list = list_services.erp_list(account.pk)
    assert code_list is not None
    return code_list


def take_custom_segments(monkeypatch) -> None:
    """Let the adapter say that its ERP takes custom segments."""
    plain = TrytonAdapter.manifest
    able = classmethod(lambda _cls, config: replace(plain(config), custom_segments=True))
    monkeypatch.setattr(TrytonAdapter, "manifest", able)
