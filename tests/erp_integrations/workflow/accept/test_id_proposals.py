"""Proposed ERP ids: readable, in the ERP's characters, and short enough for a number."""

from __future__ import annotations

import pytest

from erp_integrations.workflow.accept.id_proposals import mnemonic


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Quarry & Sons, LLC", "QUARRYS"),
        ("Østergren Langevål Framing", "OSTERGR"),
        ("Łódź Stahlbau Größe", "LODZSTA"),
        ("7 Hills Paving", "7HILLSP"),
        ("A", "A"),
        ("!!!", "V"),
    ],
)
def test_a_name_becomes_capital_letters_and_digits(name, expected):
    assert mnemonic(name, most=10) == expected
