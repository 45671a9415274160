"""The seam: the one door between the record apps and the ERP.

Record apps import this module of ``erp_integrations`` and no other.
"""

from __future__ import annotations

from erp_integrations.adapters.base import Problem
from erp_integrations.records import Draft, RecordType, Sendable, register

__all__ = [
    "Draft",
    "Problem",
    "RecordType",
    "Sendable",
    "register",
]
