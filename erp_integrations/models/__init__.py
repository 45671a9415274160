"""Tables of the export: connections, clicks, items, attempts, links, and what the ERP told us.

See docs/design/export-protocol.md, "Tables". States change in ``moves`` only. This is
the door to all of them; which module of the package holds a table is nobody else's business.
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
