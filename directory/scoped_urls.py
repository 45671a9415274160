"""URLs of the Directory's pages in the person's scope (account or project)."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Links:
    """Every page exists for the account and for each of its projects."""

    access: Access

    def to(self, page: str, *arguments: object) -> str:
        """URL of ``page`` ("companies", "company_edit"); ``arguments`` are its last arguments."""
        place: list[object] = [self.access.account.pk]
        word = "account"
        if self.access.project is not None:
            place.append(self.access.project.pk)
            word = "project"
        return reverse(f"directory:{word}_{page}", args=[*place, *arguments])
