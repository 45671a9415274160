"""Who passes the check of rights where ``test_written_pages.py`` sends no form."""

from __future__ import annotations

import pytest

from tests.db.transactions import taken_back
from tests.every_call.test_rights import HOLDERS
from tests.every_page.scenes import account, ada, scene
from tests.every_page.test_written_pages import ELSEWHERE, addresses, person

__all__ = ["account", "ada", "scene"]

# Beside Ada. Derived from docs/design/permissions.md, "Who does what", before it was seen in
# a run. What is in nobody's list answers 404 in this scene.
LET_IN: list[tuple[set[str], str]] = [
    (
        {"D"},
        """
        access:person_invitation
        admin_wbs:unlink
        oauth:person_programs_end
        """,
    ),
    (
        {"D", "C"},
        """
        directory:account_import
        """,
    ),
    (
        {"D", "A"},
        """
        admin_wbs:cost_type_delete
        admin_wbs:import
        admin_wbs:list_copy
        admin_wbs:starter
        """,
    ),
    (
        # The preview of a file is only for the person who uploaded it.
        set(),
        """
        admin_wbs:import_preview
        directory:account_import_preview
        """,
    ),
    (
        {
            "standard in all",
            "D",
            "A",
            "E",
            "E with the flag",
            "approves companies",
            "approves codes",
        },
        """
        admin_wbs:matrix_tick
        """,
    ),
    (
        {"D", "project D"},
        """
        directory:project_company_reactivate
        """,
    ),
    (
        {"D", "project D", "project C"},
        """
        directory:project_import
        """,
    ),
    (
        {"D", "E", "E with the flag"},
        """
        erp:lead_elsewhere
        """,
    ),
    (
        {"E with the flag", "approves companies"},
        """
        erp:file_confirm
        erp:file_link
        erp:item_link
        erp:item_use
        """,
    ),
    (
        {"E with the flag", "approves companies", "approves codes"},
        """
        erp:file_make
        """,
    ),
    (
        {
            "E with the flag",
            "project E with the flag",
            "approves companies",
            "project approves companies",
        },
        """
        erp:project_item_link
        erp:project_item_use
        """,
    ),
    (
        {
            *("E with the flag", "project E with the flag"),
            *("approves companies", "approves codes", "project approves companies"),
        },
        """
        erp:project_export
        erp:project_fill
        erp:project_reject_many
        erp:project_values
        """,
    ),
]


@pytest.mark.parametrize("name", ["Ada", "a stranger", *HOLDERS])
def test_whoever_lacks_the_right_is_turned_away_from_what_is_tested_elsewhere(
    scene, client_of, ada, olga, name
):
    user = {"Ada": ada, "a stranger": olga}.get(name) or person(scene, name)
    client, let_in = client_of(user), set()
    for path, page in addresses(scene).items():
        if page in ELSEWHERE and page not in let_in:
            with taken_back():
                if client.post(path).status_code not in (403, 404):
                    let_in.add(page)
    expected = {line.strip(): who for who, lines in LET_IN for line in lines.strip().splitlines()}
    assert let_in == {page for page, who in expected.items() if name in who | {"Ada"}}
