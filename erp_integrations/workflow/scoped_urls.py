"""URLs of the tool's pages in the scope of a person's access: the account or a project."""

from __future__ import annotations

from django.urls import reverse

from erpbridge.access.policy import Access


def to(access: Access, name: str, **kwargs: object) -> str:
    """Return the URL of page ``name`` in the scope of ``access``."""
    # web/urls.py has every page twice; the names for projects begin with "project_".
    if access.project is not None:
        kwargs = {**kwargs, "project_id": access.project.pk}
        name = f"project_{name}"
    return reverse(f"erp:{name}", kwargs={**kwargs, "account_id": access.account.pk})


def project_id(access: Access) -> int | None:
    """Return the project's id; None in the scope of the account."""
    return access.project.pk if access.project is not None else None
