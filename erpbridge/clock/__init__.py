"""Two clocks, and which one a stored time is from.

The *wall clock* of the database, ``django.db.models.functions.Now``, tells people when something
happened. It jumps when it is set, so nothing is decided by it: columns that end in ``_at`` are only
shown, sorted and counted.

The *measured clock*, :mod:`erpbridge.clock.measured`, measures elapsed time. It decides whether a
lease has expired, a wait is over, or a call can still take effect.
"""
