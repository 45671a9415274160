"""Rules about the files themselves; ``make check`` runs this module too."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["erpbridge", "directory", "admin_wbs", "erp_integrations"]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
MODULES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Markup that the content security policy blocks, so it would silently do nothing.
BLOCKED = {
    "an inline style": re.compile(r"<[^>]*\sstyle\s*=", re.I),
    "a style element": re.compile(r"<style\b", re.I),
    "an inline script": re.compile(r"<script\b(?![^>]*\bsrc=)", re.I),
    "an on... handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.I),
    "an hx-on handler": re.compile(r"\shx-on[:-]", re.I),
    "a javascript: address": re.compile(r"javascript:", re.I),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("what", BLOCKED)
def test_no_template_uses_what_the_policy_blocks(what):
    assert [name(path) for path in TEMPLATES if BLOCKED[what].search(path.read_text())] == []


def test_no_template_loads_anything_from_elsewhere():
    elsewhere = re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", re.I)
    assert [name(path) for path in TEMPLATES if elsewhere.search(path.read_text())] == []


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.lock")), ids=name)
def test_lock_file_pins_every_package_by_hash_and_names_no_host(lock):
    text = lock.read_text()
    pins = re.findall(r"^[A-Za-z0-9][^\s=]*==\S+", text, re.M)
    assert pins
    assert "://" not in text
    assert all(
        "--hash=sha256:" in entry for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    )


def test_no_module_has_a_name_that_says_nothing():
    vague = {"utils", "util", "helpers", "helper", "manager", "handler", "misc", "common"}
    assert [name(path) for path in MODULES if path.stem in vague] == []


# With more entries in a folder, files are hard to find.
MOST_ENTRIES = 14


def test_no_folder_is_a_heap():
    folders = [path.parent for path in MODULES + TESTS]
    assert {
        name(folder): folders.count(folder)
        for folder in folders
        if folders.count(folder) > MOST_ENTRIES
    } == {}


def test_no_module_uses_a_private_name_of_another():
    private = re.compile(r"^from \S+ import (?:.*\b)?_[a-z]\w*", re.M)
    assert {name(path) for path in MODULES if private.search(path.read_text())} == set()


# Case rules of a database, or of Python alone: text is compared as erpbridge.db.text folds it.
OWN_CASE = re.compile(
    r"__i(?:contains|exact|startswith|endswith|regex)\b|\b(?:Lower|Upper)\(|\.casefold\("
)
FOLD_THEMSELVES = {
    "erpbridge/db/text.py": "the rule itself",
    "erpbridge/files/number_formats.py": "a word of Excel's",
    "erpbridge/countries.py": "names of ISO 3166, in a table of its own",
    "erp_integrations/workflow/payloads/field_rules.py": "pure, for adapters too: words",
    "erp_integrations/adapters/conformance/harness.py": "adapters know nothing of ours",
    "erp_integrations/adapters/simulator/faults.py": "adapters know nothing of ours",
}


def test_text_is_compared_by_one_rule():
    own = {name(path) for path in MODULES if OWN_CASE.search(path.read_text())}
    assert own - {*FOLD_THEMSELVES} == set()


# The wall clock jumps when it is set: it shows people when something was, and decides nothing.
DECIDING = ("erp_integrations/", "erpbridge/jobs/", "erpbridge/rest/idempotency")
DECIDES = [path for path in MODULES if name(path).startswith(DECIDING)]
# A clock that stops while the machine sleeps would send requests too late; ``uptime`` does not.
EXPORTS = [
    path for path in MODULES if name(path).startswith(("erp_integrations/", "erpbridge/outgoing/"))
]
PLAYS_AN_ERP = ("erp_integrations/adapters/simulator/", "erp_integrations/adapters/conformance/")
WALL = {"Now", "timezone.now", "datetime.now", "datetime.utcnow", "time.time"}
SHOWN = re.compile(r"(^|_)at$")
ONLY_SHOWS = {
    "erp_integrations/monitoring/health.py": "ages that people read",
    "erp_integrations/monitoring/heartbeat.py": "forgets workers that left a day ago",
    "erp_integrations/adapters/simulator/ledger.py": "an ERP of its own",
}


def uses_of_the_wall_clock(path: Path) -> list[str]:
    """Uses that do more than store when something was, in a column ``at`` or ``..._at``."""
    uses: list[str] = []

    def walk(node: ast.AST, name: str) -> None:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WALL and not SHOWN.search(name):
            uses.append(f"line {node.lineno}: {name}")
        pairs: list[tuple[str, ast.AST]] = []
        if isinstance(node, ast.Dict):
            pairs = [
                (str(getattr(k, "value", "")), v)
                for k, v in zip(node.keys, node.values, strict=True)
            ]
        elif isinstance(node, ast.keyword):
            # The default of a column counts as the column.
            pairs = [(name if node.arg == "db_default" else str(node.arg), node.value)]
        elif isinstance(node, ast.Assign):
            pairs = [(ast.unparse(node.targets[0]), node.value)]
        elif isinstance(node, ast.Call):
            pairs = [(name, keyword) for keyword in node.keywords] + [
                ("", argument) for argument in node.args
            ]
        else:
            pairs = [("", child) for child in ast.iter_child_nodes(node)]
        for inner, child in pairs:
            walk(child, inner)

    walk(ast.parse(path.read_text()), "")
    return uses


def test_nothing_is_decided_by_a_wall_clock():
    uses = {name(path): uses_of_the_wall_clock(path) for path in DECIDES}
    assert {path: lines for path, lines in uses.items() if lines and path not in ONLY_SHOWS} == {}


def test_whoever_is_excused_from_that_rule_needs_it():
    assert [path for path in ONLY_SHOWS if not uses_of_the_wall_clock(ROOT / path)] == []


def test_no_deadline_goes_by_a_clock_that_stops():
    stopping = [
        name(path)
        for path in EXPORTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.monotonic"
    ]
    assert [path for path in stopping if not path.startswith(PLAYS_AN_ERP)] == []


def function_sizes() -> list[tuple[int, str]]:
    sizes = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                sizes.append((length, f"{name(path)}:{node.name}"))
    return sorted(sizes)


def test_functions_stay_short():
    sizes = function_sizes()
    p90, p99 = sizes[len(sizes) * 90 // 100], sizes[len(sizes) * 99 // 100]
    assert p90[0] <= 32, sizes[-20:]
    assert p99[0] <= 80, sizes[-20:]


def test_modules_stay_short():
    sizes = sorted((len(path.read_text().splitlines()), name(path)) for path in MODULES)
    assert sizes[len(sizes) * 95 // 100][0] <= 300, sizes[-10:]


# It is for overrides of Django and REST framework, and for values parsed from outside.
MOST_LINES_WITH_ANY = 250


def test_any_stays_at_the_edges():
    lines = [line for path in MODULES for line in path.read_text().splitlines()]
    with_any = [line for line in lines if re.search(r"\bAny\b", line) and "import" not in line]
    assert len(with_any) < MOST_LINES_WITH_ANY


def test_only_the_moves_change_the_state_of_an_item():
    assigned = re.compile(r"\.state\s*=(?!=)|\bupdate\([^)]*\bstate=")
    writers = {
        name(path)
        for path in MODULES
        if name(path).startswith("erp_integrations/") and assigned.search(path.read_text())
    }
    assert writers == {"erp_integrations/workflow/transitions.py"}


def test_what_a_record_shows_of_the_erp_has_one_writer():
    columns = "origin_id|origin_code|origin_data|drifted|erp_state"
    assigned = re.compile(
        rf"\b(?:row|record|code|company)\.(?:{columns})\b[^=\n]*(?<![=!<>])=(?!=)"
        rf"|\bupdate\([^)]*\b(?:{columns})="
    )
    writers = {
        name(path)
        for path in MODULES
        if path.parts[len(ROOT.parts)] != "erpbridge" and assigned.search(path.read_text())
    }
    links = "erp_integrations/workflow/links/record_columns.py"
    assert writers == {links, "erp_integrations/workflow/transitions.py"}


def test_no_test_is_left_out():
    leaving_out = re.compile(r"pytest\.(?:skip|importorskip|xfail|mark\.(?:skip|skipif|xfail))\b")
    assert [name(path) for path in TESTS if leaving_out.search(path.read_text())] == []
