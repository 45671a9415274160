"""``manage.py draw_flow``: generate docs/architecture.md from the code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from erp_integrations.adapters.base import Adapter
from erp_integrations.connections import wakeups
from erp_integrations.export import claim, engine, lease_recovery, settle, tasks, uncertain_lookup
from erp_integrations.management.generated_page import GeneratedPage, table
from erp_integrations.workflow import transitions
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.links import settlement
from erp_integrations.workflow.send import services as send_services

INTRODUCTION = """# How erpbridge is built

Written by `python manage.py draw_flow` from the code; do not edit it by hand (`--check` fails when
it is stale, and so does a test).

## How a record reaches the ERP

Each step is one function. The row is the queue: a wake-up only says that work is due, and
the tick picks up what a lost wake-up missed."""
ROOMS = """## Rooms

The first line of each package. `make check` holds what may import what: the contracts at the end of
`pyproject.toml`."""
PACKAGES = ("erpbridge", "directory", "admin_wbs", "erp_integrations")
SKIPPED = {"migrations", "management", "templatetags", "commands"}


class Step(NamedTuple):
    """One function of the export, and the steps that follow it."""

    name: str
    function: Callable[..., object]
    leads_to: tuple[str, ...] = ()


STEPS = (
    Step("send", send_services.send, ("accept",)),
    Step("accept", accept_services.accept, ("wake",)),
    Step("wake", wakeups.wake, ("drain",)),
    Step("drain", tasks.drain.run, ("claim", "lookup")),
    Step("claim", claim.claim, ("first look",)),
    Step("first look", engine.look, ("submit", "settle")),
    Step("submit", Adapter.submit, ("settle",)),
    Step("settle", settle.settle, ("link", "lookup")),
    Step("lookup", uncertain_lookup.resolve_uncertain, ("link", "drain")),
    Step("link", settlement.settle_locked),
    Step("recover", lease_recovery.tick, ("drain", "lookup")),
    Step("change state", transitions.move),
)


class Command(GeneratedPage):
    """Writes docs/architecture.md."""

    help = "Writes docs/architecture.md from the code."
    path = Path("docs") / "architecture.md"

    def page(self) -> str:
        """The diagram and table of the steps, then the table of the packages."""
        rooms = table(("Room", "What is in it"), list(_rooms()))
        return "\n\n".join([INTRODUCTION, diagram(), steps_table(), ROOMS, rooms]) + "\n"


def diagram() -> str:
    """The steps as a Mermaid flowchart."""
    number = {step.name: f"s{place}" for place, step in enumerate(STEPS)}
    lines = ["```mermaid", "flowchart LR"]
    for step in STEPS:
        if step.leads_to or any(step.name in step_before.leads_to for step_before in STEPS):
            lines.append(f'    {number[step.name]}["{step.name}"]')
        lines += [f"    {number[step.name]} --> {number[after]}" for after in step.leads_to]
    return "\n".join([*lines, "```"])


def steps_table() -> str:
    """The steps with file, function and the first lines of its docstring."""
    rows = []
    for step in STEPS:
        # The file and name of a decorated function are those of the wrapped one.
        function = inspect.unwrap(step.function)
        file = Path(inspect.getsourcefile(function) or "").relative_to(settings.BASE_DIR)
        name = function.__qualname__
        summary = (inspect.getdoc(step.function) or "").partition("\n\n")[0]
        rows.append((step.name, f"`{file}`", f"`{name}`", " ".join(summary.split())))
    return table(("Step", "File", "Function", "What it does"), rows)


def _rooms() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for file in sorted((settings.BASE_DIR / package).rglob("__init__.py")):
            folder = file.parent.relative_to(settings.BASE_DIR)
            if not SKIPPED & {*folder.parts}:
                docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
                yield f"`{folder}`", " ".join(docstring.partition("\n\n")[0].split())
