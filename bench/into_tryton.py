"""The export engine against the adapter alone, into a real ERP: Tryton, over HTTP.

The baseline hands the same commands to ``submit`` in batches and keeps nothing; it also does not
look first whether the ERP holds the ID, without which a create could double what is there.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench import ground
from bench.export import compare
from bench.ground import Ground
from bench.measure import Aim, Result
from erp_integrations.models import Connection
from tests import tryton

SIZE = 200


def run(size: int = SIZE) -> Result:
    """Count what arrives in a second, either way."""
    with tryton.serving(Path(os.environ["ERPBRIDGE_DATA_DIR"]) / "tryton") as server:
        place, elsewhere = ground.ground(), ground.ground()
        connection = _connect(place, server.erp("engine"))
        other = _connect(elsewhere, server.erp("alone"))
        seconds = compare(place, connection, other, size, vendor_type="")
    engine, alone = seconds
    return Result(
        name="into_tryton",
        what=f"{size:,} accepted companies exported to Tryton by one worker",
        baseline=alone,
        measured=engine,
        figures={case: size / value for case, value in seconds.items()},
        unit="/s",
        aims={engine: Aim(least=0.95)},
    )


def _connect(place: Ground, erp: tryton.Erp) -> Connection:
    config = {"url": erp.url, "company": erp.facts["company"]}
    return ground.connect(place, "tryton", config=config, secrets={"key": erp.facts["key"]})
