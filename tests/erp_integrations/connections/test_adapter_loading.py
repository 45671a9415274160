"""Loading the adapters that the operator allows."""

from __future__ import annotations

import io

from django.core.management import call_command


def test_an_allowed_adapter_that_is_not_installed_is_named_by_every_check(settings):
    settings.ERPBRIDGE_ADAPTERS = ["simulator", "unheard_of"]
    said = io.StringIO()
    call_command("check", stderr=said)
    assert "(erp_integrations.W001) The adapter “unheard_of” cannot be used." in said.getvalue()
    assert "No installed package provides it." in said.getvalue()
    assert "remove it from ERPBRIDGE_ADAPTERS" in said.getvalue()
    assert "simulator" not in said.getvalue()
