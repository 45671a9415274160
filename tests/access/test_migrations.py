"""The tables are those of the models: what a column takes changes only with a migration."""

from __future__ import annotations

from django.core.management import call_command


def test_no_model_differs_from_its_migrations(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
