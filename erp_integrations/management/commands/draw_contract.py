"""``manage.py draw_contract``: generate docs/adapter-contract.md from the adapter contract."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from erp_integrations.adapters import base
from erp_integrations.management.generated_page import GeneratedPage, table

INTRODUCTION = f"""# The adapter contract, version {base.API_VERSION}

Written by `python manage.py draw_contract` from `erp_integrations/adapters/base.py`; do not edit it
by hand (`--check` fails when it is stale, and so does a test). How to write an adapter:
[write-an-adapter.md](write-an-adapter.md)."""
METHODS = """## Methods of an adapter

**Pure** methods compute their answer from the settings and their arguments: no call of the ERP, no
file, no sleep. Those that **call the ERP** have one `call_deadline` each and never run inside a
database transaction. **Required** methods have no default."""
VALUES = """## Values

Classes of `erp_integrations.adapters.base`, in the order of the module. A field without a default
has to be given."""
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
        tree = ast.parse(inspect.getsource(base))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        (adapter,) = [node for node in classes if node.name == "Adapter"]
        values = [part for node in classes if node is not adapter for part in value(node)]
        parts = [INTRODUCTION, METHODS, docstring(adapter), methods_table(adapter)]
        return "\n\n".join([*parts, *methods(adapter), VALUES, *values]) + "\n"


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
        signature = f"{method.name}({ast.unparse(method.args)})"
        returned = ast.unparse(method.returns) if method.returns else "None"
        needed = "required" if is_required(method) else "optional"
        yield f"### `{method.name}`"
        yield f"```python\ndef {signature} -> {returned}\n```"
        yield f"Kind: {kind(method)}, {needed}."
        yield PURE.sub("", docstring(method))


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
            decorators = {ast.unparse(decorator) for decorator in item.decorator_list}
            arguments = ", ".join(argument.arg for argument in item.args.args[1:])
            name = item.name if "property" in decorators else f"{item.name}({arguments})"
            summary = docstring(item).partition("\n\n")[0]
            yield f"- `{name}`: {' '.join(summary.split())}"


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
