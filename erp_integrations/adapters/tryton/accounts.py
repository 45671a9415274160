"""Standard cost codes as Tryton's analytic accounts, a tree under one root account.

Tryton does not keep the codes unique: a create checks first whether the code is taken, and the
engine sends only one create of a key at a time.
See docs/design/tryton.md, "Uniqueness".
"""

from __future__ import annotations

from collections.abc import Mapping

from erp_integrations.adapters.base import AdapterError, Command, ErrorClass, Operation
from erp_integrations.adapters.tryton.options import Options
from erp_integrations.adapters.tryton.records import Records, Refer, Values, text
from erp_integrations.adapters.tryton.refusals import error
from erp_integrations.adapters.tryton.rest import Rest, Row

MODEL = "analytic_account.account"
WIRE_NAMES = {
    "full_code": "code",
    "description": "name",
    "type": "type",
    "root": "root",
    "parent": "parent",
    "is_active": "active",
}


class Accounts(Records):
    """Analytic accounts under the connection's root account."""

    model = MODEL
    own = frozenset({"name", "type", "root"})
    fields = (
        "code",
        "name",
        "type",
        "active",
        "state",
        "root.code",
        "parent.code",
        "parent.type",
    )

    def __init__(self, rest: Rest, options: Options) -> None:
        super().__init__(rest, options)
        self._root = 0

    def wanted(self, command: Command) -> Values:
        """The account's values; the parent for a create, or if the command names one."""
        if command.operation is Operation.DEACTIVATE:
            return {"is_active": False}
        payload = command.payload
        wanted: Values = {
            "full_code": text(payload.get("full_code")) or text(command.key),
            "description": text(payload.get("description")),
            # In Tryton only a view account can be a parent.
            "type": "view" if payload.get("is_group") else "normal",
            "root": self.options.root,
        }
        # An update without a parent leaves the account where it is.
        if command.parent_erp_id or command.operation is Operation.CREATE:
            wanted["parent"] = text(command.parent_erp_id)
        return wanted

    def wire_names(self) -> Mapping[str, str]:
        """Tryton's field names."""
        return WIRE_NAMES

    def given(self) -> Values:
        """The connection's company, and the state of an account that can be used."""
        return {"company": self.options.company, "state": "opened"}

    def creation(self, wanted: Values, refer: Refer) -> Values:
        """The message that creates an open account."""
        message = {
            "code": wanted["full_code"],
            "name": wanted["description"],
            "type": wanted["type"],
            "root": refer(MODEL, wanted["root"]),
            **self.given(),
        }
        if "parent" in wanted:
            message["parent"] = _place(wanted, refer)
        return message

    def create(self, wanted: Values) -> Row:
        """Create an account.

        :raises AdapterError: DUPLICATE if the code is taken under the root.
        """
        self._refuse_taken(wanted["full_code"])
        return super().create(wanted)

    def difference(self, wanted: Values, row: Row, refer: Refer) -> Values:
        """The message with the changed values only."""
        current = self.data(row)
        names = [
            name for name in ("full_code", "description", "type") if wanted[name] != current[name]
        ]
        # Tryton would accept a second account with the same code.
        if "full_code" in names:
            self._refuse_taken(wanted["full_code"])
        message = {WIRE_NAMES[name]: wanted[name] for name in names}
        if wanted.get("parent", current["parent"]) != current["parent"]:
            message["parent"] = _place(wanted, refer)
        return message

    def data(self, row: Row) -> Values:
        """The account's values; ``code`` is its last tier, ``parent`` an ID or empty at the top."""
        parent = row["parent"] or {}
        at_top = parent.get("type") == "root"
        full_code = text(row["code"])
        # A code begins with the code of its parent, so what remains is its last tier.
        above = f"{text(parent.get('code'))}{self.options.code_format.delimiter}"
        own = full_code if at_top else full_code.removeprefix(above)
        return {
            "name": text(row["name"]),
            "full_code": full_code,
            "code": own,
            "description": text(row["name"]),
            "type": row["type"],
            "is_group": row["type"] == "view",
            "root": text((row["root"] or {}).get("code")),
            "parent": "" if at_top else str(parent.get("id", "")),
            # An account can be active and yet a draft or closed.
            "is_active": bool(row["active"]) and row["state"] == "opened",
        }

    def everything(self) -> list[object]:
        """All accounts under the root."""
        return [["root", "=", self.root()]]

    def refer(self, model: str, name: str) -> object:
        """The ID of the root account; parents come with their ID and are not looked up."""
        if name == self.options.root:
            return self.root()
        message = f"Tryton has no account “{name}” to put this one under."
        raise AdapterError(error(ErrorClass.MISSING_REF, message, field="parent"))

    def root(self) -> int:
        """The root account's ID.

        :raises AdapterError: if there is none, or more than one.
        """
        if not self._root:
            domain = [
                ["code", "=", self.options.root],
                ["type", "=", "root"],
                ["company", "=", self.options.company],
            ]
            # Two rows are enough to see that the code names more than one root.
            rows = self.rest.search(MODEL, domain, ["code"], most=2)
            if len(rows) != 1:
                which = "more than one root account" if rows else "no root account"
                message = f"Tryton has {which} “{self.options.root}” in this company."
                raise AdapterError(error(ErrorClass.MISSING_REF, message))
            self._root = int(rows[0]["id"])
        return self._root

    def _refuse_taken(self, code: str) -> None:
        rows = self.rest.search(MODEL, self.domain([code]), ["code"], most=1)
        if rows:
            message = f"{code} already exists under {self.options.root}."
            raise AdapterError(error(ErrorClass.DUPLICATE, message, field="full_code", code=0))


def _place(wanted: Values, refer: Refer) -> object:
    """The ID of the account's parent, or of the root."""
    parent = wanted["parent"]
    if parent.isascii() and parent.isdecimal():
        return int(parent)
    return refer(MODEL, parent or wanted["root"])
