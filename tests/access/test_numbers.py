"""Numbers and words on which others build, held against a second copy of them."""

from __future__ import annotations

from erpbridge.access import form_digest
from erpbridge.access.levels import Level, Tool
from erpbridge.access.services import end_access, projects
from erpbridge.access.services import people as people_services
from erpbridge.db.numbers import LARGEST_ID
from erpbridge.login import password_hashing
from erpbridge.people import account_views


def test_levels_and_tools_are_stored_and_called_so():
    assert Level.choices == [(0, "None"), (1, "Read Only"), (2, "Standard"), (3, "Admin")]
    assert Tool.choices == [
        ("directory", "Directory"),
        ("admin", "Admin"),
        ("erp_integrations", "ERP Integrations"),
    ]


def test_what_is_set_about_a_person_and_what_counts_as_a_right():
    levels = ("directory", "admin", "erp_integrations", "create_edit_companies")
    assert levels == form_digest.LEVEL_FIELDS
    assert ("job_title", "is_active", *levels) == form_digest.PERSON_FIELDS
    assert form_digest.APPROVER_FIELDS == ("can_push_to_accounting", "erp_digest")
    assert ("is_active", "can_push_to_accounting", "rights", *levels) == end_access.RIGHTS


def test_limits():
    assert LARGEST_ID == 9_223_372_036_854_775_807
    assert (people_services.NONCE, account_views.MOST_HISTORY, projects.AT_ONCE) == (22, 50, 500)
    hashes = (
        password_hashing.AT_ONCE,
        password_hashing.WAITING,
        password_hashing.PATIENCE,
        password_hashing.RETRY_AFTER,
    )
    assert hashes == (1, 2, 5.0, 3)
