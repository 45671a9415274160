"""Lists of cost codes, one of them an ERP's."""

from __future__ import annotations

import pytest

from admin_wbs.cost_codes import list_services
from admin_wbs.models import CodeList
from erp_integrations.models import Connection
from erpbridge.access.models import Account, User
from tests.erp_integrations import steps


@pytest.fixture
def code_list(account: Account, ada: User) -> CodeList:
    """A list that belongs to no ERP."""
    return list_services.create(account=account, name="Residential", by=ada)


@pytest.fixture
def connection(account: Account, ada: User) -> Connection:
    """A tested and refreshed connection to a ledger of this test's own, which owns no codes."""
    return steps.connect(account, by=ada)


@pytest.fixture
def erp_list(connection: Connection) -> CodeList:
    """The ERP Standard Cost Codes of the connection."""
    return CodeList.objects.get(connection_id=connection.pk)


@pytest.fixture
def owner(connection: Connection) -> Connection:
    """A simulator that owns the cost codes."""
    steps.change_config(connection, code_owner="erp")
    return connection
