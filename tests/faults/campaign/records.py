"""The records that the campaign sends: companies, or cost codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection as database

from admin_wbs.models import CodeList, CostCode
from erp_integrations.models import Item
from erp_integrations.sendable import Sendable
from erp_integrations.workflow.accept import services as accept_services
from erpbridge.access.models import Account
from tests.factories import CompanyFactory, CostCodeFactory

PER_GROUP = 10


@dataclass(frozen=True)
class Records:
    """One kind of record, by the entity name of the adapter interface.

    ``make`` makes a record of an account for each number; records of one number get one ERP key.
    """

    entity: str
    make: Callable[[Account, Sequence[int]], Sequence[Sendable]]
    values: Callable[[Item], Mapping[str, str]]

    def decision(self, item: Item) -> accept_services.Decision:
        """The decision to accept the item, with the values of accounting."""
        return accept_services.Decision(item.pk, item.digest, self.values(item))


def companies(account: Account, numbers: Sequence[int]) -> Sequence[Sendable]:
    """Companies with these numbers."""
    return [
        CompanyFactory.create(account=account, name=f"Company {number:05}") for number in numbers
    ]


def codes(account: Account, numbers: Sequence[int]) -> Sequence[Sendable]:
    """Cost codes of the connected ERP's list, ten to a group, which has to arrive before them.

    Twins have no group. The list would refuse them, so the campaign drops its constraint: the
    export has to be safe without it.
    """
    code_list = CodeList.objects.get(account=account)
    if len(set(numbers)) < len(numbers):
        with database.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE admin_wbs_costcode DROP CONSTRAINT IF EXISTS cost_code_once_per_list"
            )
        return [CostCodeFactory.create(list=code_list, code=f"{number:05}") for number in numbers]
    created: list[CostCode] = []
    for number in numbers:
        group, place = divmod(number, PER_GROUP)
        parent = created[-place] if place else None
        code = f"{place}" if place else f"{group:03}"
        created.append(CostCodeFactory.create(list=code_list, parent=parent, code=code))
    return created


def records(kind: str, *, vendor_type: str) -> Records:
    """``companies`` of a vendor type of the ERP, or ``codes``."""
    if kind == "codes":
        return Records("cost_code", codes, lambda item: {})
    return Records(
        "vendor",
        companies,
        lambda item: {"vendor_type": vendor_type, "vendor_id": f"C{item.label[-5:]}"},
    )
