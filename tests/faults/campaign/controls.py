"""Each safeguard that can be removed, and the fault that it protects against.

This module imports nothing else, since the command line is parsed before Django is set up.
"""

from __future__ import annotations

# "key" comes last: it drops a constraint of the campaign's database for good.
CONTROLS = (
    ("clock", "database clock an hour ahead"),
    ("clock", "database clock an hour back"),
    ("look", "ERP loses its answer"),
    ("fence", "worker back after its lease, refused"),
    ("identity", "led to another ERP with items open"),
    ("parent", "parents unlinked while children wait"),
    ("deadline", "slow name resolution"),
    ("key", "one ERP key accepted twice at once"),
)
SAFEGUARDS = tuple(dict.fromkeys(safeguard for safeguard, _fault in CONTROLS))
