"""The tree at the left of a list: only what is open is read, and never more than a screen takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count

from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import full_code

# Codes shown right under one code; the table pages through the rest.
MOST_IN_BRANCH = 50
# Codes shown by Expand all, tier by tier as far as they fit.
MOST_EXPANDED = 500


@dataclass
class Node:
    """A code of the tree. ``branch`` is None where what is below has not been read."""

    code: CostCode
    is_group: bool
    current: bool = False
    branch: Branch | None = None


@dataclass
class Branch:
    """The codes right under one, and how many more of them the table has."""

    nodes: list[Node] = field(default_factory=list)
    more: int = 0


@dataclass(frozen=True)
class Expanded:
    """The tree opened as far as it fits: ``tiers`` of ``of``."""

    root: Branch
    tiers: int
    of: int


def branch(found: CodeList, parent: CostCode | None, *, keep: CostCode | None = None) -> Branch:
    """The codes right under ``parent``, with ``keep`` among them even beyond the cap.

    Two queries at most.
    """
    children = found.codes.filter(parent=parent)
    rows = list(children.with_groups().order_by("sort_path")[: MOST_IN_BRANCH + 1])
    shown = rows[:MOST_IN_BRANCH]
    if keep is not None and keep.pk not in {code.pk for code in shown}:
        shown += list(children.with_groups().filter(pk=keep.pk))
    more = children.count() - len(shown) if len(rows) > MOST_IN_BRANCH else 0
    return Branch([Node(code, bool(getattr(code, "is_group", False))) for code in shown], more)


def opened_at(found: CodeList, at: CostCode | None) -> Branch:
    """The tree from the first tier down to what is under ``at``."""
    line = [*ancestors([at]), at] if at else []
    root = above = branch(found, None, keep=line[0] if line else None)
    for place, code in enumerate(line):
        node = next((one for one in above.nodes if one.code.pk == code.pk), None)
        if node is None:  # deleted or moved since the page asked
            break
        node.current = code == at
        if node.is_group:
            keep = line[place + 1] if place + 1 < len(line) else None
            node.branch = above = branch(found, code, keep=keep)
    return root


def expanded(found: CodeList, at: CostCode | None) -> Expanded | None:
    """Every branch down to the deepest tier that fits; None where not even the first does."""
    counted = found.codes.order_by("depth").values_list("depth").annotate(number=Count("pk"))
    numbers = [number for _, number in counted]
    tiers = max(
        (tier for tier in range(len(numbers) + 1) if sum(numbers[:tier]) <= MOST_EXPANDED),
        default=0,
    )
    if not tiers:
        return None
    root = Branch()
    below: dict[int | None, Branch] = {None: root}
    for code in found.codes.filter(depth__lt=tiers).with_groups().order_by("sort_path"):
        node = Node(code, bool(getattr(code, "is_group", False)), current=code == at)
        below[code.parent_id].nodes.append(node)
        if node.is_group and code.depth + 1 < tiers:
            node.branch = below[code.pk] = Branch()
    return Expanded(root, tiers, len(numbers))


def ancestors(codes: Sequence[CostCode]) -> list[CostCode]:
    """The codes above these, each once, in the order of the tree; one query."""
    paths = {full_code(code.path[:depth]) for code in codes for depth in range(1, len(code.path))}
    if not paths:
        return []
    rows = CostCode.objects.filter(list=codes[0].list_id, full_code__in=sorted(paths))
    return list(rows.order_by("sort_path"))
