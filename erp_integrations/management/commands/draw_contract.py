"""``manage.py draw_contract``: generate docs/adapter-contract.md from the adapter contract."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType

from erp_integrations.adapters import base, http
from erp_integrations.adapters.conformance import harness
from erp_integrations.management.generated_page import GeneratedPage, table

INTRODUCTION = f"""# The adapter contract, version {base.API_VERSION}

Written by `python manage.py draw_contract` from `erp_integrations/adapters/base.py`, `http.py` and
`conformance/harness.py`; do not edit it by hand (`--check` fails when it is stale, and so does a
test). How to write an adapter: [write-an-adapter.md](write-an-adapter.md)."""
METHODS = """## Methods of an adapter

**Pure** methods compute their answer from the settings and their arguments: no call of the ERP, no
file, no sleep. Those that **call the ERP** have one `call_deadline` each and never run inside a
database transaction. **Required** methods have no default."""
VALUES = """## Values

Classes of `erp_integrations.adapters.base`, in the order of the module. A field without a default
has to be given."""
HTTP = """## Over HTTP

`erp_integrations.adapters.http`. The guide says [what it does for
you](write-an-adapter.md#over-http)."""
HARNESS = """## The harness of the conformance kit

Methods of `erp_integrations.adapters.conformance.Harness`. **Required** methods and those
that break the ERP have to be overridden; where your ERP cannot do what one says, call
`cannot(reason)` in it. `settle` and `in_a_hurry` do nothing unless you override them. Everything
from `manifest` on is there for the kit, and for tests of your own."""
# Markers of reStructuredText in docstrings.
ROLE = re.compile(r":\w+:`([^`]+)`")
LITERAL = re.compile(r"``([^`]+)``")
BACKQUOTED = r"`\1`"
FIELD = re.compile(r"^:(param|raises) ([^:]+): ", re.M)
# What a docstring says that the line above it says already.
PURE = re.compile(r"\s+Pure(?: \(no I/O\))?\.")
MARKERS = {"param": r"- `\2`: ", "raises": r"- Raises `\2`: "}


class Command(GeneratedPage):
    """Writes docs/adapter-contract.md."""

    help = "Writes docs/adapter-contract.md from the adapter contract."
    path = Path("docs") / "adapter-contract.md"

    def page(self) -> str:
        """The methods of an adapter, then all other classes."""
        classes = [node for node in nodes_of(base) if isinstance(node, ast.ClassDef)]
        (adapter,) = [node for node in classes if node.name == "Adapter"]
        values = [part for node in classes if node is not adapter for part in value(node)]
        parts = [INTRODUCTION, METHODS, docstring(adapter), methods_table(adapter)]
        parts += [*methods(adapter), VALUES, *values, HTTP, *over_http(), HARNESS, hooks()]
        return "\n\n".join(filter(None, parts)) + "\n"


def nodes_of(module: ModuleType) -> list[ast.stmt]:
    """What a module consists of."""
    return ast.parse(inspect.getsource(module)).body


def docstring(node: ast.ClassDef | ast.FunctionDef) -> str:
    """A docstring as Markdown."""
    text = LITERAL.sub(BACKQUOTED, ROLE.sub(BACKQUOTED, ast.get_docstring(node) or ""))
    return FIELD.sub(lambda field: field.expand(MARKERS[field[1]]), text)


def code(text: str) -> str:
    """Code in a cell of a table."""
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`" if text else ""


def methods_of(adapter: ast.ClassDef) -> list[ast.FunctionDef]:
    """The methods of the contract, without ``__init__``."""
    nodes = [node for node in adapter.body if isinstance(node, ast.FunctionDef)]
    return [node for node in nodes if node.name in base.CALLS_ERP | base.PURE]


def kind(method: ast.FunctionDef) -> str:
    """Whether a method calls the ERP."""
    return "calls the ERP" if method.name in base.CALLS_ERP else "pure"


def is_required(method: ast.FunctionDef) -> bool:
    """Whether every adapter has to have the method."""
    return "abstractmethod" in {ast.unparse(node) for node in method.decorator_list}


def methods_table(adapter: ast.ClassDef) -> str:
    """One row per method."""
    rows = [
        (f"`{method.name}`", kind(method), "required" if is_required(method) else "optional")
        for method in methods_of(adapter)
    ]
    return table(("Method", "Kind", ""), rows)


def methods(adapter: ast.ClassDef) -> Iterator[str]:
    """Heading, signature and docstring of each method."""
    for method in methods_of(adapter):
        needed = "required" if is_required(method) else "optional"
        yield f"### `{method.name}`"
        yield signature(method)
        yield f"Kind: {kind(method)}, {needed}."
        yield PURE.sub("", docstring(method))


def signature(function: ast.FunctionDef) -> str:
    """The first line of a function, as Python."""
    returned = ast.unparse(function.returns) if function.returns else "None"
    head = f"def {function.name}({ast.unparse(function.args)}) -> {returned}"
    return f"```python\n{head}\n```"


def over_http() -> Iterator[str]:
    """Classes and functions of the HTTP client."""
    for node in nodes_of(http):
        if isinstance(node, ast.FunctionDef) and node.name in http.__all__:
            yield f"### `{node.name}`"
            yield signature(node)
            yield docstring(node)
        if isinstance(node, ast.ClassDef):
            yield f"### `{node.name}`"
            yield docstring(node)
            yield from public_methods(node)


def public_methods(node: ast.ClassDef) -> Iterator[str]:
    """Fields, constructor, methods and properties of a class."""
    if rows := fields(node):
        yield table(("Field", "Type", "Default"), rows)
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and (
            item.name in ("__init__", "__call__") or not item.name.startswith("_")
        ):
            yield f"`{item.name}`" if is_property(item) else signature(item)
            yield docstring(item)


def hooks() -> str:
    """The methods of a harness, with their whole docstrings."""
    (node,) = [one for one in nodes_of(harness) if getattr(one, "name", "") == "Harness"]
    assert isinstance(node, ast.ClassDef)
    lines = []
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            needed = " Required." if is_required(item) else ""
            says = " ".join(docstring(item).partition("\n\n- ")[0].split())
            lines.append(f"- `{short(item)}`: {says}{needed}")
    return "\n".join(lines)


def is_property(function: ast.FunctionDef) -> bool:
    """Whether a function is called without brackets."""
    return "property" in {ast.unparse(decorator) for decorator in function.decorator_list}


def short(function: ast.FunctionDef) -> str:
    """The name of a function, and the names of its arguments."""
    given = function.args
    names = [argument.arg for argument in [*given.posonlyargs, *given.args][1:]]
    names += [f"*{given.vararg.arg}"] if given.vararg else []
    names += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return function.name if is_property(function) else f"{function.name}({', '.join(names)})"


def value(node: ast.ClassDef) -> Iterator[str]:
    """Heading, docstring, and fields, values or methods of one class."""
    yield f"### `{node.name}`"
    yield docstring(node)
    defined = getattr(base, node.name)
    if issubclass(defined, Enum):
        yield enumeration(node)
        return
    if rows := fields(node):
        yield table(("Field", "Type", "Default"), rows)
    if lines := list(further(node)):
        yield "\n".join(lines)


def fields(node: ast.ClassDef) -> list[tuple[str, str, str]]:
    """Name, type and default of each field."""
    declared = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    return [
        (
            code(ast.unparse(item.target)),
            code(ast.unparse(item.annotation)),
            code(default(item.value)),
        )
        for item in declared
    ]


def default(node: ast.expr | None) -> str:
    """The default of a field; of one that is made anew each time, what makes it."""
    text = ast.unparse(node) if node else ""
    made = re.fullmatch(r"field\(default_factory=(\w+)\)", text)
    return f"{made[1]}()" if made else text


def further(node: ast.ClassDef) -> Iterator[str]:
    """Properties and methods of a class, with the first line of their docstring."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            summary = docstring(item).partition("\n\n")[0]
            yield f"- `{short(item)}`: {' '.join(summary.split())}"


def enumeration(node: ast.ClassDef) -> str:
    """The values of an enumeration, with the comments above them."""
    lines = inspect.getsource(base).splitlines()
    rows = []
    for item in node.body:
        if isinstance(item, ast.Assign):
            above = lines[item.lineno - 2].strip()
            meaning = f": {LITERAL.sub(BACKQUOTED, above[2:])}" if above[:2] == "# " else ""
            rows.append(f"- `{ast.literal_eval(item.value)}`{meaning}")
    return "\n".join(rows)
