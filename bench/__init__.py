"""Benchmarks: one module each, every number a ratio to a baseline measured in the same run.

Absolute figures say more about the machine than about the program; the ratios can be compared
between machines and between versions. ``make bench`` runs them all: some on SQLite as the one
process of ``make run`` uses it, some on a PostgreSQL and a Redis that are started for them.
"""
