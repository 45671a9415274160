"""Adapters are found through entry points, and the problem of a wrong one is reported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from erp_integrations.adapters.base import Adapter
from erp_integrations.adapters.registry import (
    AdapterUnavailable,
    adapter_class,
    installed,
    unavailable,
)
from erp_integrations.adapters.simulator import SimulatorAdapter

BROKEN = """
from erp_integrations.adapters.base import Adapter
from erp_integrations.adapters.simulator import SimulatorAdapter

class Tomorrow(SimulatorAdapter):
    api_version = 99

class Plain:
    pass

class Yesterday(Adapter):
    pass

good = SimulatorAdapter
"""
OLD = """
from erp_integrations.adapters.base import EntityManifest

VENDOR = EntityManifest("vendor", "Vendor", frozenset(), (), (), batch=20)
"""


@pytest.fixture
def foreign_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as pip would install it, with one working adapter and many that do not."""
    (tmp_path / "foreign_erps.py").write_text(BROKEN)
    (tmp_path / "foreign_old.py").write_text(OLD)
    (tmp_path / "foreign_crash.py").write_text("raise RuntimeError('license file missing')")
    info = tmp_path / "foreign_erps-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-erps\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[erpbridge.adapters]\n"
        "foreign = foreign_erps:good\n"
        "tomorrow = foreign_erps:Tomorrow\n"
        "yesterday = foreign_erps:Yesterday\n"
        "old = foreign_old:Adapter\n"
        "plain = foreign_erps:Plain\n"
        "function = foreign_erps:Plain.__init__\n"
        "missing = foreign_erps:Nowhere\n"
        "nomodule = foreign_nowhere:Adapter\n"
        "crash = foreign_crash:Adapter\n"
        "simulator = foreign_erps:Tomorrow\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    for name in ("foreign_erps", "foreign_crash"):
        sys.modules.pop(name, None)


def test_our_own_simulator_is_found():
    assert adapter_class("simulator", ["simulator"]) is SimulatorAdapter
    assert installed(["simulator"]) == {"simulator": SimulatorAdapter}
    assert unavailable(["simulator"]) == {}


def test_an_installed_adapter_that_is_not_allowed_cannot_be_used():
    with pytest.raises(AdapterUnavailable, match="not in the list of adapters allowed") as caught:
        adapter_class("simulator", ["tryton"])
    assert caught.value.key == "simulator"
    assert installed([]) == {}


@pytest.mark.usefixtures("foreign_package")
def test_an_adapter_of_another_package_is_found():
    assert adapter_class("foreign", ["foreign"]) is SimulatorAdapter


@pytest.mark.usefixtures("foreign_package")
@pytest.mark.parametrize(
    "key, why",
    [
        ("unheard_of", "No installed package provides it"),
        ("tomorrow", "written for contract version 99; this is 2"),
        ("yesterday", "written for contract version 1; this is 2. To change: EntityManifest.batch"),
        ("old", "If it was written for an earlier contract version, change: EntityManifest.batch"),
        ("plain", "is not an adapter class"),
        ("function", "is not an adapter class"),
        ("missing", "has no attribute 'Nowhere'. Correct the entry point, then install"),
        ("nomodule", "could not be loaded: ModuleNotFoundError"),
        ("crash", "could not be loaded: RuntimeError: license file missing"),
    ],
)
def test_an_adapter_that_cannot_be_used_says_why(key: str, why: str):
    with pytest.raises(AdapterUnavailable) as caught:
        adapter_class(key, [key])
    assert why in caught.value.why
    assert key in str(caught.value)


@pytest.mark.usefixtures("foreign_package")
@pytest.mark.parametrize("key", ["nomodule", "missing"])
def test_what_is_missing_is_not_taken_for_an_older_contract(key: str):
    with pytest.raises(AdapterUnavailable) as caught:
        adapter_class(key, [key])
    assert "earlier contract version" not in caught.value.why


@pytest.mark.usefixtures("foreign_package")
def test_two_packages_with_one_key_are_not_chosen_between():
    with pytest.raises(AdapterUnavailable, match="More than one installed package"):
        adapter_class("simulator", ["simulator"])


@pytest.mark.usefixtures("foreign_package")
def test_broken_adapters_are_left_out_of_the_list_but_their_reason_is_kept():
    allowed = ["crash", "foreign", "unheard_of"]
    assert list(installed(allowed)) == ["foreign"]
    assert set(unavailable(allowed)) == {"crash", "unheard_of"}


def test_the_abstract_class_stays_abstract():
    with pytest.raises(TypeError):
        Adapter({}, {}, None)
