"""The modules that are mutated, and the tests that are run for them."""

from __future__ import annotations

from tests.mutants.making import ROOT

ENGINE = (
    *("models.states", "models.querysets", "models.row_locks", "workflow.transitions"),
    *("workflow.payloads.commands", "workflow.payloads.field_rules", "workflow.links.services"),
    *("workflow.links.settlement", "workflow.accept.services", "connections.safe_adapter"),
    *("export.engine", "export.claim", "export.rate_limit", "export.backoff", "export.due"),
    *("export.circuit_breaker", "export.settle", "export.lease_recovery"),
    *("export.uncertain_lookup", "export.delivery.polled", "export.delivery.queued"),
)
QUERYSETS = (
    *("erpbridge.access.querysets", "erpbridge.jobs.querysets", "directory.models.querysets"),
    *(
        "admin_wbs.models.querysets.cost_codes",
        "admin_wbs.models.querysets.segments",
        "admin_wbs.models.querysets.budget_codes",
    ),
)
FOLDERS = (
    *("erpbridge/access", "erpbridge/login", "erpbridge/people"),
    *("directory/api", "admin_wbs/api", "erp_integrations/api"),
)
# Package -> the tests for its modules: on SQLite, and without a browser, another program or a
# server. The API of an app is tested by the tests of the API.
API = (
    *("tests/rest", "tests/oauth", "tests/every_call", "tests/people/api", "tests/directory/api"),
    *("tests/admin_wbs/api", "tests/erp_integrations/api", "tests/access/test_isolation.py"),
    "tests/access/test_foreign_ids.py",
)
TESTS = {
    "erp_integrations.api": (*API, "tests/model"),
    "erp_integrations": ("tests/erp_integrations", "tests/model", "tests/adapters/test_rules.py"),
    "erpbridge.people.api": API,
    "erpbridge.jobs": (*API, "tests/jobs"),
    "erpbridge": (*API, "tests/access", "tests/people", "tests/login", "tests/every_page"),
    "directory.api": API,
    "directory": (*API, "tests/directory"),
    "admin_wbs.api": API,
    "admin_wbs": (*API, "tests/admin_wbs"),
}
# Random input notices mutants by chance, and takes minutes.
NOT_ASKED = ("tests/every_call/test_fuzzing.py", "tests/every_page/test_no_input_breaks_a_page.py")


def tests_of(module: str) -> list[str]:
    """The files of tests for a module."""
    folders = next(tests for package, tests in TESTS.items() if module.startswith(package))
    files = [ROOT / name for name in folders if name.endswith(".py")]
    for folder in folders:
        files += (ROOT / folder).rglob("test_*.py")
    names = sorted({str(path.relative_to(ROOT)) for path in files})
    return [name for name in names if name not in NOT_ASKED]


def modules() -> list[str]:
    """Every module that is mutated, in order."""
    in_engine = [f"erp_integrations.{name}" for name in ENGINE] + list(QUERYSETS)
    in_folders = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.stem not in ("__init__", "apps", "urls") and not {"migrations"} & {*path.parts}
    ]
    return list(dict.fromkeys(in_engine + in_folders))
