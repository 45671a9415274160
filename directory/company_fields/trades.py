"""The account's trades: look up by name, add new ones, assign them to companies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from directory.models import Company, Trade
from erpbridge.access.models import Account
from erpbridge.db.text import key


def trades_named(account: Account, names: Iterable[str]) -> dict[str, Trade]:
    """The account's trades by key of the name; missing trades are created."""
    names_by_key: dict[str, str] = {}
    for name in names:
        if name.strip():
            # Of two spellings of a new trade, the first one is stored.
            names_by_key.setdefault(key(name), name.strip())
    trades = _trades(account)
    missing = [name for name_key, name in names_by_key.items() if name_key not in trades]
    if missing:
        new = [Trade(account=account, name=name) for name in missing]
        # If another request adds the same trade, its row is the one that is read below.
        Trade.objects.bulk_create(new, ignore_conflicts=True)
        trades = _trades(account)
    return {name_key: trades[name_key] for name_key in names_by_key}


def with_new_trades(values: Mapping[str, Any], *, account: Account) -> dict[str, Any]:
    """The values with the trades typed by name added to the ticked ones."""
    names = values.get("new_trades", [])
    if not names:
        return dict(values)
    trades = [*values.get("trades", []), *trades_named(account, names).values()]
    return {**values, "trades": list({trade.pk: trade for trade in trades}.values())}


def place_in_trades(
    companies: Sequence[Company], *, account: Account, names: Sequence[Sequence[str]]
) -> None:
    """Assign to each company, in order, the trades of these names."""
    trades = trades_named(account, [name for row in names for name in row]) if names else {}
    through = Company.trades.through
    rows = [
        through(company_id=company.pk, trade_id=pk)
        # There may be no names at all.
        for company, company_trades in zip(companies, names, strict=False)
        # A set, because two spellings in one cell are one trade.
        for pk in {trades[key(name)].pk for name in company_trades if name.strip()}
    ]
    through.objects.bulk_create(rows, batch_size=500)


def _trades(account: Account) -> dict[str, Trade]:
    return {trade.name_key: trade for trade in account.trades.all()}
