"""Cost codes from a file: recognise its layout, check its rows against a list, apply, write one.

``layouts`` and ``checking`` are pure; ``plan`` compares with the list, ``stored`` keeps an upload
until it is confirmed, ``applying`` writes. ``exporting`` is the way back, ``starter`` a first list.
"""
