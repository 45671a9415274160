"""The table of the campaign: erpbridge's items compared with the ERP's own records."""

from __future__ import annotations

from dataclasses import dataclass, fields

from erp_integrations.models.states import State
from tests.faults.campaign.kinds import Kind
from tests.faults.campaign.scene import Scene
from tests.faults.campaign.staff import Staff

WIDTH = 42
TOLD = frozenset({State.FAILED, State.NEEDS_ANSWER})


@dataclass(frozen=True)
class Row:
    """The result of one run.

    ``person`` counts the items that wait for a person, with a reason; among them the second
    record of an ERP key, which accounting could not accept.
    """

    fault: str
    items: int
    synced: int
    person: int
    lost: int
    doubled: int
    stuck: int
    wrong: int
    misplaced: int
    deaths: int
    seconds: int
    # Deaths that were not caused by the campaign.
    by_itself: int
    happened: bool

    @property
    def ok(self) -> bool:
        """The fault struck; no record is lost, doubled, stuck, failed although it is in the ERP, or
        under another parent than its own; and no process ended by itself.
        """
        failures = (self.lost, self.doubled, self.stuck, self.wrong, self.misplaced, self.by_itself)
        return self.happened and not any(failures)

    def __str__(self) -> str:
        cells = "".join(f"{getattr(self, name):>10}" for name in COLUMNS)
        hollow = "" if self.happened else ": the fault did not strike"
        ended = ": a process ended by itself" if self.by_itself else ""
        return f"{self.fault:<{WIDTH}}{cells}  {'ok' if self.ok else 'FAILED'}{hollow}{ended}"


COLUMNS = [field.name for field in fields(Row)[1:-2]]
HEAD = f"{'fault':<{WIDTH}}" + "".join(f"{name:>10}" for name in COLUMNS)


def count(kind: Kind, scene: Scene, staff: Staff, *, seconds: float) -> Row:
    """Read both sides."""
    items = scene.items()
    copies = scene.copies()
    synced = [item.erp_key for item in items if item.state == State.SYNCED]
    at_root = scene.erp.at_root(scene.records.entity)
    refused = {refusal.record_id for refusal in scene.refused if refusal.problems}
    with_person = [
        item
        for item in items
        if (item.state in TOLD and item.error_text)
        or (item.state == State.READY and item.record_id in refused)
    ]
    # One record of each key was accepted; the others were refused because of it.
    taken_keys = {item.erp_key for item in items if item.state != State.READY}
    untaken = scene.keys - len(taken_keys)
    return Row(
        fault=kind.name,
        items=len(items),
        synced=len(synced),
        person=len(with_person),
        lost=scene.count - len(items) + untaken + sum(1 for key in synced if not copies[key]),
        doubled=sum(number - 1 for number in copies.values() if number > 1),
        stuck=len(items) - len(synced) - len(with_person),
        wrong=sum(1 for item in items if item.state == State.FAILED and copies[item.erp_key]),
        misplaced=sum(1 for item in items if item.parent_id and item.erp_key in at_root),
        deaths=staff.deaths,
        seconds=round(seconds),
        by_itself=0 if kind.kills else staff.deaths,
        happened=kind.happened(scene, staff),
    )
