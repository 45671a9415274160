"""The simulator: an honest small vendor ledger to try erpbridge with, reachable by its adapter."""

from erp_integrations.adapters.simulator.adapter import SimulatorAdapter

__all__ = ["SimulatorAdapter"]
