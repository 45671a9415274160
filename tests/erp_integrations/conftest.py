"""A connection to the simulator ERP and companies to send through it."""

from __future__ import annotations

import pytest

from directory.models import Company
from erp_integrations.models import Connection, Item
from erp_integrations.sendable import send
from erpbridge.access.models import Account, User
from tests.erp_integrations import steps
from tests.factories import CompanyFactory


@pytest.fixture
def connection(account: Account, ada: User) -> Connection:
    """A tested and refreshed connection to a ledger of this test's own."""
    return steps.connect(account, by=ada)


@pytest.fixture
def company(account: Account) -> Company:
    return CompanyFactory.create(account=account, name="Quarry & Sons, LLC")


@pytest.fixture
def sent_item(connection, company, ada, access_of) -> Item:
    """A company that Ada has sent, waiting for Pat."""
    assert send("vendor", [company.pk], access=access_of(ada)).done == 1
    return Item.objects.get()


@pytest.fixture
def accepted_item(connection, sent_item, pat, access_of) -> Item:
    """The company's item, accepted by Pat as QUARRY01 and not exported yet."""
    done = steps.decide([sent_item], access_of(pat), vendor_id="QUARRY01")
    assert (done.done, done.refused) == (1, ())
    sent_item.refresh_from_db()
    return sent_item


@pytest.fixture
def synced_company(connection, company, accepted_item) -> Company:
    """The company as vendor QUARRY01 of the ERP."""
    steps.export(connection)
    company.refresh_from_db()
    assert company.origin_code == "QUARRY01"
    return company


@pytest.fixture
def accept_companies(connection, account, ada, pat, access_of):
    """Send and accept so many companies."""

    def accept(count: int) -> None:
        companies = CompanyFactory.create_batch(count, account=account)
        items = steps.send_all(companies, access_of(ada))
        assert steps.decide(items, access_of(pat)).done == count

    return accept
