"""The tree at the left of a list; reads only open branches, and limits the number of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count

from admin_wbs.models import CodeList, CostCode
from admin_wbs.models.full_code import full_code

# Children shown per code; the table pages through the rest.
MOST_IN_BRANCH = 50
# Codes shown by Expand all, in whole tiers.
MOST_EXPANDED = 500


@dataclass
class Node:
    """A code of the tree. ``branch`` is None if its children have not been read."""

    code: CostCode
    is_group: bool
    current: bool = False
    branch: Branch | None = None


@dataclass
class Branch:
    """The children of a code; ``more`` is the number that is not shown."""

    nodes: list[Node] = field(default_factory=list)
    more: int = 0


@dataclass(frozen=True)
class Expanded:
    """The expanded tree: ``tiers`` of ``of`` tiers."""

    root: Branch
    tiers: int
    of: int


def branch(code_list: CodeList, parent: CostCode | None, *, keep: CostCode | None = None) -> Branch:
    """The children of ``parent``; ``keep`` is included even beyond the limit.

    At most three queries.
    """
    children = code_list.codes.filter(parent=parent)
    rows = list(children.with_groups().order_by("sort_path")[: MOST_IN_BRANCH + 1])
    codes = rows[:MOST_IN_BRANCH]
    if keep is not None and keep.pk not in {code.pk for code in codes}:
        # Without it the path to the selected code would end here.
        codes += list(children.with_groups().filter(pk=keep.pk))
    # Counted only where it is needed: most branches are short.
    more = children.count() - len(codes) if len(rows) > MOST_IN_BRANCH else 0
    return Branch([Node(code, bool(getattr(code, "is_group", False))) for code in codes], more)


def opened_at(code_list: CodeList, at: CostCode | None) -> Branch:
    """The tree from the first tier down to the children of ``at``."""
    path = [*ancestors([at]), at] if at else []
    root = opened = branch(code_list, None, keep=path[0] if path else None)
    for place, code in enumerate(path):
        node = next((item for item in opened.nodes if item.code.pk == code.pk), None)
        if node is None:  # deleted or moved meanwhile
            break
        node.current = code == at
        if node.is_group:
            keep = path[place + 1] if place + 1 < len(path) else None
            node.branch = opened = branch(code_list, code, keep=keep)
    return root


def expanded(code_list: CodeList, at: CostCode | None) -> Expanded | None:
    """All branches down to the deepest tier that fits; None if not even the first fits."""
    counted = code_list.codes.order_by("depth").values_list("depth").annotate(number=Count("pk"))
    numbers = [number for _, number in counted]
    tiers = max(
        (tier for tier in range(len(numbers) + 1) if sum(numbers[:tier]) <= MOST_EXPANDED),
        default=0,
    )
    if not tiers:
        return None
    root = Branch()
    branches: dict[int | None, Branch] = {None: root}
    # In tree order a parent comes before its children, so its branch is there.
    for code in code_list.codes.filter(depth__lt=tiers).with_groups().order_by("sort_path"):
        node = Node(code, bool(getattr(code, "is_group", False)), current=code == at)
        branches[code.parent_id].nodes.append(node)
        if node.is_group and code.depth + 1 < tiers:
            node.branch = branches[code.pk] = Branch()
    return Expanded(root, tiers, len(numbers))


def ancestors(codes: Sequence[CostCode]) -> list[CostCode]:
    """The ancestors of the codes, without duplicates, in tree order; one query."""
    paths = {full_code(code.path[:depth]) for code in codes for depth in range(1, len(code.path))}
    if not paths:
        return []
    # By full code, which the path tells, and not by parent id, which would take a query per tier.
    rows = CostCode.objects.filter(list=codes[0].list_id, full_code__in=sorted(paths))
    return list(rows.order_by("sort_path"))
