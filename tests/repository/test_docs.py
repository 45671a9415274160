"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from erp_integrations.adapters import base
from erp_integrations.adapters.payloads import PAYLOADS
from erp_integrations.models.states import State
from erp_integrations.workflow.transitions import MOVES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_page_of_the_architecture_is_what_the_code_says():
    call_command("draw_flow", "--check")


def test_the_page_of_states_is_what_the_code_says():
    call_command("draw_states", "--check")


def test_the_page_of_the_adapter_contract_is_what_the_code_says():
    call_command("draw_contract", "--check")
    page = (ROOT / "docs" / "adapter-contract.md").read_text(encoding="utf-8")
    classes = [name for name, value in vars(base).items() if is_of_the_contract(value)]
    assert len(classes) > 30
    assert [name for name in classes if f"\n### `{name}`\n" not in page] == ["Adapter"]
    methods = base.CALLS_ERP | base.PURE
    assert [name for name in methods if f"\n### `{name}`\n" not in page] == []


def test_the_page_of_the_payload_fields_is_what_the_code_says():
    call_command("draw_payloads", "--check")
    page = (ROOT / "docs" / "payloads.md").read_text(encoding="utf-8")
    names = [field.name for fields in PAYLOADS.values() for field in fields]
    assert names
    assert [name for name in names if f"\n| `{name}` |" not in page] == []


def is_of_the_contract(value: object) -> bool:
    return isinstance(value, type) and value.__module__ == base.__name__


def test_a_stale_page_of_states_is_noticed(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    with pytest.raises(CommandError, match="stale"):
        call_command("draw_states", "--check")
    call_command("draw_states")
    call_command("draw_states", "--check")
    text = (tmp_path / "docs" / "states.md").read_text()
    assert all(f"`{state.name}`" in text for state in State)
    assert all(f"| `{event}` |" in text for event in MOVES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_test_that_holds_a_promise_of_security_is_there():
    named = re.findall(r"`(tests/[\w/.]+)`", (ROOT / "docs" / "security.md").read_text())
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def _tests_named(row: str) -> list[tuple[str, str]]:
    """Modules and prefixes of test names, in a row of the coverage of the API."""
    named = []
    for part in row.split("|")[2].split(";"):
        names = re.findall(r"(?:[\w/]+/)?test_\w+", part)
        named += [(names[0], name) for name in names[1:] or [""]] if names else []
    return named


def test_each_behavior_of_the_api_names_tests_that_are_there():
    rows = (ROOT / "docs" / "api-coverage.md").read_text(encoding="utf-8").splitlines()
    named = [pair for row in rows if row.startswith("| ") for pair in _tests_named(row)]
    files = list((ROOT / "tests").rglob("test_*.py"))
    missing = []
    for module, name in named:
        homes = [path for path in files if f"{path.with_suffix('')}".endswith(f"/{module}")]
        if len(homes) != 1 or f"def {name}" not in homes[0].read_text(encoding="utf-8"):
            missing.append(f"{module}: {name} ({len(homes)} modules)")
    assert len(named) > 100
    assert missing == []


def test_every_setting_from_the_environment_is_documented():
    read = r"env\.[a-z_]+\(\s*\"([A-Z_]+)\""
    names = set(re.findall(read, (ROOT / "erpbridge" / "settings.py").read_text()))
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert names
    assert {name for name in names if f"`{name}`" not in operations} == set()


def test_every_make_target_named_in_the_documentation_exists():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"(?:^|`)make ([a-z0-9]+)", text, re.M))
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"run", "test", "bench"} <= named
    assert named - targets == set()
