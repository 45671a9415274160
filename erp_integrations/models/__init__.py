"""Tables of the export: connections, bulk requests, items, attempts, links and ERP records.

Import models from this package, not from its modules. Only ``workflow.transitions`` changes the
state of an item. See docs/design/export-protocol.md, "Tables".
"""

from erp_integrations.models.acceptance_defaults import AcceptanceDefault
from erp_integrations.models.connections import ActiveConnection, Connection, Halt
from erp_integrations.models.erp_records import Choice, ErpRecord, Link
from erp_integrations.models.export_files import ExportFile
from erp_integrations.models.items import Attempt, Item, Request
from erp_integrations.models.workers import Ticker, Worker

__all__ = [
    "AcceptanceDefault",
    "ActiveConnection",
    "Attempt",
    "Choice",
    "Connection",
    "ErpRecord",
    "ExportFile",
    "Halt",
    "Item",
    "Link",
    "Request",
    "Ticker",
    "Worker",
]
