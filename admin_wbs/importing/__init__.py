"""Import cost codes from a file: detect its layout, compare its rows with a list, apply them.

``columns`` and ``validate`` do not access the database; ``plan`` reads, ``apply`` writes.
"""
