"""Companies from a CSV file: read it, map its columns, check its rows, find look-alikes, apply.

``columns`` and ``checking`` are pure; ``look_alikes`` reads the account's companies;
``stored`` keeps an upload until it is confirmed, and ``applying`` writes.
"""
