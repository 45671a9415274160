"""Each safeguard that can be taken away, and the fault that shows what it is there for.

It stands by itself, for the command line is read before there is Django.
"""

from __future__ import annotations

# "key" comes last: it takes a constraint of the campaign's database away, which stays so.
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
