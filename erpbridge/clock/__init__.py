"""Two clocks, and which of them a stored time is of.

The *wall clock* of the database, ``django.db.models.functions.Now``, tells people when something
happened. It can be set, and jumps when it is. So nothing is decided by it: columns that end in
``_at`` are shown, sorted and counted, and no more.

The *measured clock*, :mod:`erpbridge.clock.measured`, tells how much time has passed, and decides
whether a lease is over, a wait has been long enough, or a call can still take effect.
"""
