"""Import companies from a file: map its columns, check its rows, find look-alikes, apply.

``columns`` and ``validate`` do not access the database; ``look_alikes`` and ``plan`` read,
``apply`` writes.
"""
