"""Change history of a cost code: its edits, and what happened to it on the way to the ERP."""

from __future__ import annotations

from admin_wbs.cost_codes.list_services import CODE
from admin_wbs.models import CostCode
from erp_integrations import sendable
from erpbridge.audit import history
from erpbridge.audit.history import History

LABELS = {"code": "Code", "description": "Description", "is_active": "Status"}


class CodeWords:
    """How a code's page names its fields, values and events."""

    def field(self, name: str) -> str:
        """The label of a field on the code's page."""
        return LABELS.get(name, name.replace("_", " ").capitalize())

    def value(self, name: str, value: object) -> str:
        """A stored value as shown on the page."""
        if name == "is_active":
            return "Active" if value else "Inactive"
        return history.shown_as(value)

    def verb(self, verb: str) -> str:
        """The label of an event."""
        return sendable.EVENT_WORDS.get(verb, verb.replace("_", " ").capitalize())

    def state(self, state: str) -> str:
        """The badge label of an acceptance state; empty before the first item."""
        # A badge belongs to a record; made of one, the history uses the words of the lists.
        return str(sendable.badge(CostCode(erp_state=state)).label) if state else ""


def of(code: CostCode, *, before: str = "") -> History:
    """The newest changes of a code, or those before an event; see :func:`history.history`."""
    words = CodeWords()
    return history.history(code.account_id, CODE, code.pk, words=words, before=before)
