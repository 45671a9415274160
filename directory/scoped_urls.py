"""Addresses of the Directory's pages in the scope a person is in."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from erpbridge.access.policy import Access


@dataclass(frozen=True)
class Links:
    """Every page exists for the account and for each of its projects."""

    access: Access

    def to(self, page: str, *arguments: object) -> str:
        """The address of ``page`` ("companies", "company_edit"); ``arguments`` end its URL."""
        place: list[object] = [self.access.account.pk]
        word = "account"
        if self.access.project is not None:
            place.append(self.access.project.pk)
            word = "project"
        return reverse(f"directory:{word}_{page}", args=[*place, *arguments])
