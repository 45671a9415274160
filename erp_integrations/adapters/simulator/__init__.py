"""The simulator: a small ERP for demos and tests, and its adapter."""

from erp_integrations.adapters.simulator.adapter import SimulatorAdapter

__all__ = ["SimulatorAdapter"]
