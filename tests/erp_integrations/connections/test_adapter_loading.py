"""Loading the adapters that the operator allows."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError


def test_a_name_that_no_package_provides_is_an_error_that_lists_what_is_installed(settings):
    settings.ERPBRIDGE_ADAPTERS = ["simulator", "csv_ledger"]
    with pytest.raises(SystemCheckError) as raised:
        call_command("check", stderr=io.StringIO())
    said = str(raised.value)
    assert "(erp_integrations.E001) ERPBRIDGE_ADAPTERS names “csv_ledger”" in said
    assert "HINT: Installed are: simulator, tryton. Correct the name, install" in said
    assert "erp_integrations.W001" not in said


def test_an_installed_adapter_that_does_not_work_is_named_by_every_check(settings, monkeypatch):
    settings.ERPBRIDGE_ADAPTERS = ["simulator", "tryton"]
    monkeypatch.setattr("erp_integrations.adapters.tryton.TrytonAdapter.api_version", 99)
    said = io.StringIO()
    call_command("check", stderr=said)
    assert "(erp_integrations.W001) The adapter “tryton” cannot be used." in said.getvalue()
    assert "written for contract version 99" in said.getvalue()
    assert "remove it from ERPBRIDGE_ADAPTERS" in said.getvalue()
    assert "simulator" not in said.getvalue()
