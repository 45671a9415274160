"""``manage.py rotate_secrets``: every stored secret encrypted with the first key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from erp_integrations.connections.secrets import rotate


class Command(BaseCommand):
    """Run after a new key was put in front of the others, before the old ones are taken away."""

    help = "Encrypts the secrets of all connections with the first key of ERPBRIDGE_FIELD_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """:raises CommandError: naming the secrets that none of the keys can read."""
        rotation = rotate()
        self.stdout.write(f"{rotation.done} secrets are encrypted with the first key.")
        if rotation.unreadable:
            raise CommandError(
                "None of the keys reads, and nothing changed: " + "; ".join(rotation.unreadable)
            )
