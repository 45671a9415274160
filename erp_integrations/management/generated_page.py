"""Base of the commands that generate a page of ``docs/`` from the code."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class GeneratedPage(BaseCommand):
    """Writes :attr:`path`; with ``--check`` it only fails if the page is stale."""

    # Relative to the project's folder.
    path: Path

    def page(self) -> str:
        """The text of the page."""
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the option ``--check``."""
        parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        """Write or check the page.

        :raises CommandError: with ``--check``, if the page is stale.
        """
        path = settings.BASE_DIR / self.path
        text = self.page()
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            command = type(self).__module__.rpartition(".")[2]
            raise CommandError(f"{self.path} is stale; run: python manage.py {command}")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
