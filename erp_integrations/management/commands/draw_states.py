"""``manage.py draw_states``: generate docs/states.md from the tables of states and moves."""

from __future__ import annotations

from pathlib import Path

from erp_integrations.management.generated_page import GeneratedPage, table
from erp_integrations.models.states import IN_AIR, OPEN, STATES, ItemEvent, State, label_for_sender
from erp_integrations.workflow.badges import EVENT_WORDS
from erp_integrations.workflow.transitions import MOVES

START = "(none)"
INTRODUCTION = """# States of an acceptance item

Written by `python manage.py draw_states` from `erp_integrations/models/states.py`; do not edit it
by hand (`--check` fails when it is stale, and so does a test). What makes each move is in
`erp_integrations/workflow/transitions.py`, which carries out every one of them as a conditional
`UPDATE`.

An item is one revision of one record to be exported to one ERP. Sending a record again makes a
new item. A settled item does not change any more, but a synced one becomes unlinked when its link
to the ERP ends."""
LEGEND = """**Locks the record**: while its item is in this state the record cannot be edited.
**Holds the ERP key**: no other item of the connection may be accepted with the same ERP ID.
**For its sender**: what lists and record pages of the Directory and of the cost codes show; what
was never sent shows *Not in ERP*. It differs where the sender has to know who acts next.
**Badge**: color is never the only sign, each badge has a shape and words."""


class Command(GeneratedPage):
    """Writes docs/states.md."""

    help = "Writes docs/states.md from the table of moves."
    path = Path("docs") / "states.md"

    def page(self) -> str:
        """The diagram, the states and the moves."""
        parts = (INTRODUCTION, diagram(), "## States", states_table(), LEGEND)
        return "\n\n".join([*parts, "## Moves", moves_table()]) + "\n"


def diagram() -> str:
    """The moves as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {state.name} : {state.name} ({state.label})" for state in State]
    lines.append(f"    [*] --> {State.READY.name} : send")
    lines += [
        f"    {source.name} --> {target.name} : {event}"
        for event, (sources, target) in MOVES.items()
        for source in ordered(sources)
    ]
    sources_of_any = {source for sources, _target in MOVES.values() for source in sources}
    lines += [f"    {state.name} --> [*]" for state in State if state not in sources_of_any]
    return "\n".join([*lines, "```"])


def ordered(states: frozenset[State]) -> list[State]:
    """States in the order of their definition."""
    return [state for state in State if state in states]


def states_table() -> str:
    """One row per state: labels, badge, API value, tab and locks."""
    rows = [
        (
            f"`{state.name}`",
            state.label,
            label_for_sender(state),
            f"{words.color}, {words.icon}",
            f"`{words.rest}`",
            words.tab.label if words.tab else "",
            "yes" if state in OPEN else "no",
            "yes" if state in IN_AIR else "no",
            words.meaning,
        )
        for state, words in STATES.items()
    ]
    headings = (
        *("State", "In ERP Integrations", "For its sender", "Badge", "In the API", "Tab"),
        *("Locks the record", "Holds the ERP key", "Meaning"),
    )
    return table(headings, rows)


def moves_table() -> str:
    """One row per event; "send" first."""
    rows = [("`send`", START, f"`{State.READY.name}`", ItemEvent.SEND.label)]
    rows += [
        (
            f"`{event}`",
            ", ".join(f"`{source.name}`" for source in ordered(sources)),
            f"`{target.name}`",
            EVENT_WORDS[event],
        )
        for event, (sources, target) in MOVES.items()
    ]
    return table(("Event", "From", "To", "In the history"), rows)
