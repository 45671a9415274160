"""Trades, departments and insurances."""

from __future__ import annotations

import pytest

from directory.models import Insurance
from tests.factories import CompanyFactory, TradeFactory


def test_trades_are_listed_created_and_shown(api, account, other_account):
    TradeFactory.create(account=other_account, name="Theirs")
    path = f"companies/{account.pk}/trades"
    made = api.post(path, {"trade": {"name": "Masonry", "active": False}})
    assert made.status_code == 201
    assert set(made.json()) == {"id", "name", "active", "updated_at"}
    assert api.get(path).json() == [made.json()]
    assert api.get(f"{path}/{made.json()['id']}").json() == made.json()
    assert api.get(f"{path}?filters[active]=true").json() == []
    assert api.get(f"{path}?filters[query]=mason")["Total"] == "1"


@pytest.mark.parametrize("name", ["masonry", "", None, "x" * 201, ["x"]])
def test_a_trade_that_cannot_be_is_422(api, account, name):
    TradeFactory.create(account=account, name="Masonry")
    response = api.post(f"companies/{account.pk}/trades", {"trade": {"name": name}})
    assert response.status_code == 422
    assert list(response.json()["errors"]) == ["name"]


def test_departments_live_and_die(api, reader, account):
    body = {"company_id": account.pk, "department": {"name": "Estimating"}}
    assert reader.post("departments", body).status_code == 403
    made = api.post("departments", body)
    path = f"departments/{made.json()['id']}"
    assert made.status_code == 201
    assert api.post("departments", body).status_code == 422
    changed = api.patch(path, {"department": {"name": "Sales"}})
    assert changed.json()["name"] == "Sales"
    assert reader.get("departments").json() == [changed.json()]
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_insurances_of_a_vendor(api, account):
    firm = CompanyFactory.create(account=account)
    path = f"companies/{account.pk}/vendors/{firm.pk}/insurances"
    given = {
        "policy_number": "P-1",
        "insurance_type": "General liability",
        "effective_date": "2026-01-01",
        "expiration_date": "soon",
        "limit": 1000000,
        "exempt": True,
        "origin_id": "I-1",
    }
    made = api.post(path, {"insurance": given})
    assert made.status_code == 201
    insurance = made.json()
    # A day that is none is stored as null and not refused, as Procore does.
    assert (insurance["effective_date"], insurance["expiration_date"]) == ("2026-01-01", None)
    assert (insurance["limit"], insurance["exempt"], insurance["vendor_id"]) == (
        "1000000",
        True,
        firm.pk,
    )
    insurance_path = f"{path}/{insurance['id']}"
    assert (
        api.patch(insurance_path, {"insurance": {"status": "expired"}}).json()["status"]
        == "expired"
    )
    assert api.get(path).json() == [api.get(insurance_path).json()]
    assert api.post(path, {"insurance": {"origin_id": "I-1"}}).status_code == 422
    assert api.delete(insurance_path).status_code == 204
    assert api.get(path).json() == []


def test_insurances_sync_by_origin_id(api, account):
    firm = CompanyFactory.create(account=account)
    path = f"companies/{account.pk}/vendors/{firm.pk}/insurances/sync"
    rows = [{"origin_id": "I-1", "limit": "1"}, {"origin_id": "I-1", "limit": "2"}, {"id": 9}]
    body = api.patch(path, {"updates": rows}).json()
    assert [entity["limit"] for entity in body["entities"]] == ["2", "2"]
    assert body["errors"][0]["errors"] == {"id": ["Entity with this ID not found"]}
    assert Insurance.objects.count() == 1
