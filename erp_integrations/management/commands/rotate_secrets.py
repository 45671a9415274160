"""``manage.py rotate_secrets``: encrypt all stored secrets again with the first key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from erp_integrations.connections.secrets import rotate


class Command(BaseCommand):
    """Run it after adding a new first key, and before removing the old keys."""

    help = "Encrypts the secrets of all connections with the first key of ERPBRIDGE_FIELD_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate the secrets.

        :raises CommandError: with the names of the secrets that no key decrypts.
        """
        rotation = rotate()
        self.stdout.write(f"{rotation.done} secrets are encrypted with the first key.")
        if rotation.unreadable:
            raise CommandError(
                "None of the keys can decrypt these, and nothing was changed: "
                + "; ".join(rotation.unreadable)
            )
