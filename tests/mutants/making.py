"""The bugs: those of mutmut, and others that are likely in a Django program.

mutmut skips every decorated function, so all code in a transaction or behind a permission, and
tables such as the one of moves. Its operators know no querysets. So only its operators are used,
with others: a filter, a lock, a transaction, a decorator, a check or an entry of a table is left
out, a condition always or never holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
import libcst.matchers as m
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider
from mutmut.mutation import mutators

ROOT = Path(__file__).resolve().parents[2]
Operator = Callable[[Any], Iterable[cst.CSTNode]]
# Calls and options that change the cost of a query, and not its result.
ONLY_FASTER = {
    "select_related",
    "prefetch_related",
    "only",
    "defer",
    "iterator",
    "in_bulk",
    "batch_size",
}
# Wording: texts are checked by the tests of the pages that show them.
WORDING = {"label", "help_text", "verbose_name", "why", "advice", "message"}
# Checked by the type checker: that no code writes to a frozen dataclass.
CHECKED = {"frozen", "slots"}
# Only asserts something: that two sequences have the same length.
NOTICED_ONLY = {"strict"}
LOGGED = m.Call(func=m.Attribute(value=m.Name("logger")))
LOGGER = m.Call(func=m.Attribute(value=m.Name("logging"), attr=m.Name("getLogger")))
TYPE = m.Subscript(value=m.OneOf(*(m.Name(name) for name in ("Callable", "Mapping", "tuple"))))
TEXT = (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)


@dataclass(frozen=True)
class Mutant:
    """One bug in one place."""

    module: str
    # The outermost function or method, "" for the module and the bodies of classes.
    function: str
    line: int
    was: str
    now: str
    source: str
    nth: int = 0

    @property
    def key(self) -> str:
        """Its name, which does not depend on line numbers."""
        suffix = f" (no. {self.nth + 1})" if self.nth else ""
        return f"{self.function}: {self.was} -> {self.now}{suffix}"


def path_of(module: str) -> Path:
    """The file of a module."""
    return ROOT / f"{module.replace('.', '/')}.py"


# --- further operators ----------------------------------------------------------------------

LINKS = (
    *("filter", "exclude", "select_for_update", "order_by", "distinct", "visible_to", "active"),
    *("open", "tab", "in_division", "since_decided", "of_account", "in_scope", "structure"),
)
IN_CHAIN = m.Call(func=m.Attribute(attr=m.OneOf(*(m.Name(name) for name in LINKS))))
ATOMIC = m.Call(func=m.Attribute(value=m.Name("transaction"), attr=m.Name("atomic")))
# Without it the result is the same, only later.
KEPT_FOR_LATER = m.Name("cache")
IN_NO_TRANSACTION = cst.parse_expression("__import__('contextlib').nullcontext()")
NOTHING = cst.SimpleStatementLine([cst.Pass()])


def without_link(node: cst.Call) -> Iterator[cst.CSTNode]:
    """``rows.filter(..)`` as ``rows``."""
    if m.matches(node, IN_CHAIN):
        yield cst.ensure_type(node.func, cst.Attribute).value


def without_argument(node: cst.Call) -> Iterator[cst.CSTNode]:
    """Like mutmut's, but a positional argument is left out only of a filter, which needs none."""
    for now in mutators.operator_arg_removal(node):
        left_out = len(cst.ensure_type(now, cst.Call).args) < len(node.args)
        kept_ids = {id(arg) for arg in cst.ensure_type(now, cst.Call).args}
        positional = all(arg.keyword or arg.star or id(arg) in kept_ids for arg in node.args)
        if not left_out or positional or m.matches(node, IN_CHAIN):
            yield now


def without_transaction(node: cst.WithItem) -> Iterator[cst.CSTNode]:
    """Earlier changes are kept when a later statement fails."""
    if m.matches(node.item, ATOMIC):
        yield node.with_changes(item=IN_NO_TRANSACTION)


def without_decorator(node: cst.FunctionDef) -> Iterator[cst.CSTNode]:
    """Without a transaction, or without a check of a permission."""
    for at, decorator in enumerate(node.decorators):
        if m.matches(decorator.decorator, KEPT_FOR_LATER):
            continue
        yield node.with_changes(decorators=[*node.decorators[:at], *node.decorators[at + 1 :]])


def without_statement(node: cst.SimpleStatementLine) -> Iterator[cst.CSTNode]:
    """Without a call whose result is not used, or without a raise."""
    if len(node.body) == 1 and m.matches(node.body[0], m.Expr(value=m.Call()) | m.Raise()):
        yield NOTHING


def forced(test: cst.BaseExpression) -> Iterator[cst.CSTNode]:
    """A condition that never holds, and one that always does."""
    test = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield cst.BooleanOperation(test, cst.And(), cst.Name("False"))
    yield cst.BooleanOperation(test, cst.Or(), cst.Name("True"))


def one_side(node: cst.BooleanOperation | cst.BinaryOperation) -> Iterator[cst.CSTNode]:
    """``a and b`` as ``a``, and as ``b``; the same for ``|`` and ``&``."""
    if isinstance(node, cst.BooleanOperation) or isinstance(node.operator, cst.BitOr | cst.BitAnd):
        yield node.left
        yield node.right


def without_entry(node: cst.Set | cst.List | cst.Tuple | cst.Dict) -> Iterator[cst.CSTNode]:
    """A table, or a tuple of columns, without one of its entries."""
    if not isinstance(node, cst.List | cst.Dict) and len(node.elements) < 2:
        return
    for at in range(len(node.elements)):
        entries = [*node.elements[:at], *node.elements[at + 1 :]]
        if isinstance(node, cst.Tuple) and len(entries) == 1:
            entries = [entries[0].with_changes(comma=cst.Comma())]
        yield node.with_changes(elements=entries)


def of_any(node: cst.CompFor) -> Iterator[cst.CSTNode]:
    """A comprehension without its condition."""
    if node.ifs:
        yield node.with_changes(ifs=[])


NOT_TAKEN = {
    mutators.operator_string,
    # Every use of the name would fail.
    mutators.operator_assignment,
    mutators.operator_arg_removal,
}
OPERATORS: list[tuple[Any, Operator]] = [
    *((kind, act) for kind, act in mutators.mutation_operators if act not in NOT_TAKEN),
    (cst.Call, without_link),
    (cst.Call, without_argument),
    (cst.WithItem, without_transaction),
    (cst.FunctionDef, without_decorator),
    (cst.SimpleStatementLine, without_statement),
    ((cst.BooleanOperation, cst.BinaryOperation), one_side),
    ((cst.Set, cst.List, cst.Tuple, cst.Dict), without_entry),
    (cst.CompFor, of_any),
]


# --- finding the places ---------------------------------------------------------------------

PASSED_OVER = (cst.Annotation, cst.Import, cst.ImportFrom, cst.AssignTarget)


class _Places(cst.CSTVisitor):
    """Every node that may be changed, with the outermost function that contains it."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.places: list[tuple[cst.CSTNode, str, CodeRange]] = []
        self.names: list[str] = []
        self.inside = 0
        # Decorators and defaults run when the module is imported, not when it is called.
        self.at_definition = 0
        # Conditions, and names that a loop fills.
        self.tests: set[cst.CSTNode] = set()
        self.targets: set[cst.CSTNode] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, PASSED_OVER) or node in self.targets or _is_talk(node):
            return False
        if isinstance(node, cst.For | cst.CompFor):
            self.targets.add(node.target)
        if isinstance(node, cst.If) and not m.matches(node.test, m.Name("TYPE_CHECKING")):
            self.tests.add(node.test)
        self._note(node)
        if isinstance(node, cst.ClassDef | cst.FunctionDef) and not self.inside:
            self.names.append(node.name.value)
        self.inside += isinstance(node, cst.FunctionDef)
        self.at_definition += isinstance(node, cst.Decorator | cst.Parameters)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self.inside -= isinstance(original_node, cst.FunctionDef)
        self.at_definition -= isinstance(original_node, cst.Decorator | cst.Parameters)
        if isinstance(original_node, cst.ClassDef | cst.FunctionDef) and not self.inside:
            self.names.pop()

    def _note(self, node: cst.CSTNode) -> None:
        span = self.get_metadata(PositionProvider, node, None)
        if span is not None:
            called = self.inside > (1 if self.at_definition else 0)
            self.places.append((node, ".".join(self.names) if called else "", span))


def _is_talk(node: cst.CSTNode) -> bool:
    """Docstrings, log messages, wording, and code that only the type checker reads."""
    if isinstance(node, cst.Arg):
        return (
            node.keyword is not None
            and node.keyword.value in WORDING | CHECKED | NOTICED_ONLY | ONLY_FASTER
        )
    statement = m.Expr(value=m.SimpleString() | LOGGED) | m.Assign(value=TYPE | LOGGER)
    return m.matches(node, m.SimpleStatementLine(body=[statement]))


def _only_words(was: cst.CSTNode, now: cst.CSTNode) -> bool:
    """Whether a call has only lost a text, or something that makes it faster."""
    if not isinstance(was, cst.Call) or not isinstance(now, cst.Call):
        return False
    name = was.func.attr if isinstance(was.func, cst.Attribute) else was.func
    if isinstance(name, cst.Name) and name.value in ONLY_FASTER | {"cast", "TypeVar", "ParamSpec"}:
        return True
    kept_ids = {id(arg) for arg in now.args}
    lost = [arg for arg in was.args if id(arg) not in kept_ids]
    return bool(lost) and all(
        (isinstance(arg.value, TEXT) and " " in cst.Module([]).code_for_node(arg.value))
        or (
            arg.keyword is not None
            and arg.keyword.value in WORDING | CHECKED | NOTICED_ONLY | ONLY_FASTER
        )
        for arg in lost
    )


def mutants_of(module: str) -> list[Mutant]:
    """Every mutant of a module that compiles, in the order of the source."""
    return mutants_in(path_of(module).read_text(), module)


def mutants_in(source: str, module: str) -> list[Mutant]:
    """Every mutant of a source that compiles."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    places = _Places()
    wrapper.visit(places)
    counts: Counter[tuple[str, str, str]] = Counter()
    mutants = []
    for node, function, span in places.places:
        was = _text(wrapper.module, node)
        for now in _variants(node, is_test=node in places.tests):
            text = _text(wrapper.module, now)
            mutated = _with(wrapper.module, source, node, now, span)
            if text == was or not _compiles(mutated):
                continue
            short = _difference(was, text)
            nth = counts[(function, *short)]
            counts[(function, *short)] += 1
            mutants.append(Mutant(module, function, span.start.line, *short, mutated, nth))
    return mutants


def _variants(node: cst.CSTNode, *, is_test: bool) -> Iterator[cst.CSTNode]:
    for kind, operator in OPERATORS:
        if isinstance(node, kind):
            yield from (now for now in operator(node) if not _only_words(node, now))
    if is_test:
        yield from forced(cst.ensure_type(node, cst.BaseExpression))


def _with(
    module: cst.Module, source: str, node: cst.CSTNode, now: cst.CSTNode, span: CodeRange
) -> str:
    """The source with another node; the lines before it keep their numbers."""
    if isinstance(node, cst.FunctionDef):
        return module.deep_replace(node, now).code  # type: ignore[arg-type]
    lines = source.splitlines(keepends=True)
    before = "".join(lines[: span.start.line - 1]) + lines[span.start.line - 1][: span.start.column]
    after = lines[span.end.line - 1][span.end.column :] + "".join(lines[span.end.line :])
    code = module.code_for_node(now)
    # The span of "for .. in .." includes the blank before it, that of a statement does not.
    return before + (code if isinstance(node, cst.CompFor) else code.strip()) + after


def _text(module: cst.Module, node: cst.CSTNode) -> str:
    if isinstance(node, cst.FunctionDef):
        node = node.with_changes(body=cst.SimpleStatementSuite([cst.Expr(cst.Ellipsis())]))
    return " ".join(module.code_for_node(node).split())


LONGEST = 120


def _difference(was: str, now: str) -> tuple[str, str]:
    """Both texts, without the long parts that they have in common."""
    if len(was) <= LONGEST:
        return was, now
    start, end = 0, 0
    shorter = min(len(was), len(now))
    while start < shorter and was[start] == now[start]:
        start += 1
    while end < shorter - start and was[-1 - end] == now[-1 - end]:
        end += 1
    start, end = max(0, start - 60), max(0, end - 20)
    return f"..{was[start : len(was) - end]}..", f"..{now[start : len(now) - end]}.."


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
