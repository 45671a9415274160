"""The account's trades: found by name, added where they are new, given to companies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from directory.models import Company, Trade
from erpbridge.access.models import Account
from erpbridge.db.text import key


def trades_named(account: Account, names: Iterable[str]) -> dict[str, Trade]:
    """The account's trades by the key of the name; those that do not exist yet are added."""
    wanted: dict[str, str] = {}
    for name in names:
        if name.strip():
            wanted.setdefault(key(name), name.strip())
    found = _trades(account)
    missing = [name for name_key, name in wanted.items() if name_key not in found]
    if missing:
        new = [Trade(account=account, name=name) for name in missing]
        Trade.objects.bulk_create(new, ignore_conflicts=True)
        found = _trades(account)
    return {name_key: found[name_key] for name_key in wanted}


def with_new_trades(values: Mapping[str, Any], *, account: Account) -> dict[str, Any]:
    """The values with the trades that were typed by name among those that were ticked."""
    names = values.get("new_trades", [])
    if not names:
        return dict(values)
    both = [*values.get("trades", []), *trades_named(account, names).values()]
    return {**values, "trades": list({trade.pk: trade for trade in both}.values())}


def place_in_trades(
    companies: Sequence[Company], *, account: Account, names: Sequence[Sequence[str]]
) -> None:
    """Give each company, in order, the trades of these names."""
    found = trades_named(account, [name for row in names for name in row]) if names else {}
    through = Company.trades.through
    rows = [
        through(company_id=company.pk, trade_id=pk)
        for company, wanted in zip(companies, names, strict=False)
        for pk in {found[key(name)].pk for name in wanted if name.strip()}
    ]
    through.objects.bulk_create(rows, batch_size=500)


def _trades(account: Account) -> dict[str, Trade]:
    return {trade.name_key: trade for trade in account.trades.all()}
