"""The README's tour quotes the pages correctly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

APPS = ("erpbridge", "directory", "admin_wbs", "erp_integrations")
# Texts that the pages compose from the demo's data.
OF_THE_DEMO = {
    "1 rejected",
    "1042 Quarry Street School",
    "Blue Heron Concrete",
    "Galbrae Concrete & Sons",
    "Granite Point Pemberline Concrete Foundations & Flatwork Corporation",
    "Ibarrola Concrete, L.P",
    "Jessamy Survey, Inc",
    "Reject and return to Petra Osei",
}


def toured(readme: str) -> set[str]:
    """Everything emphasized from the tour to the roles: what to click, and what a page shows."""
    tour = readme[readme.index("## A five-minute tour") : readme.index("## Roles")]
    steps = re.sub(r"^\*\*[^*]+\.\*\*", "", tour, flags=re.MULTILINE)
    marked = re.findall(r"\*{1,2}([^*]+?)\*{1,2}", steps)
    return {" ".join(words.split()).rstrip(".:") for words in marked}


def test_everything_that_the_tour_names_is_written_on_a_page(settings: Any) -> None:
    root: Path = settings.BASE_DIR
    files = [*(root / "templates").rglob("*.html")]
    files += [file for app in APPS for file in (root / app).rglob("*.py")]
    pages = " ".join(file.read_text() for file in files)
    named = toured((root / "README.md").read_text())
    assert "Send to ERP" in named
    unknown = {words for words in named if words.removesuffix(" (n)") not in pages}
    assert unknown == OF_THE_DEMO
