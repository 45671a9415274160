"""Benchmarks: one module each, every number a ratio to a baseline measured in the same run.

Absolute times say more about the machine than about the program; the ratios can be compared
between machines and between versions. ``make bench`` runs them all.
"""
