"""Addresses of the tool's pages in the scope of a person: the account's, or a project's."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from erpbridge.access.policy import Access


def to(access: Access, name: str, **kwargs: Any) -> str:
    """The address of page ``name`` in the scope of ``access``."""
    if access.project is not None:
        kwargs = {**kwargs, "project_id": access.project.pk}
        name = f"project_{name}"
    return reverse(f"erp:{name}", kwargs={**kwargs, "account_id": access.account.pk})


def project_id(access: Access) -> int | None:
    """The project of the scope, if it is one."""
    return access.project.pk if access.project is not None else None
