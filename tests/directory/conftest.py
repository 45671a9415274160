"""People with each right on Directory, a connection to send through, and pictures."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from directory.companies import services as company_services
from directory.models import Company
from erpbridge.access.levels import Level
from tests.erp_integrations.conftest import connection
from tests.factories import CompanyFactory, MembershipFactory, ProjectMembershipFactory, UserFactory

__all__ = ["connection"]


@pytest.fixture
def company(account, project, ada) -> Company:
    """A company on the project."""
    company = CompanyFactory.create(account=account, name="Quarry & Sons, LLC", city="Baltimore")
    company_services.add_to_project([company.pk], project=project, by=ada)
    return company


@pytest.fixture
def eve(account, project):
    """Read Only on the account's and the project's Directory, with the right to edit companies."""
    user = UserFactory.create(name="Eve Editor")
    rights = {"directory": Level.READ_ONLY, "create_edit_companies": True}
    membership = MembershipFactory.create(user=user, account=account, **rights)
    ProjectMembershipFactory.create(membership=membership, project=project, **rights)
    return user


@pytest.fixture
def uma(account, project):
    """Admin on the project's Directory only."""
    user = UserFactory.create(name="Uma Project")
    membership = MembershipFactory.create(user=user, account=account)
    ProjectMembershipFactory.create(membership=membership, project=project, directory=Level.ADMIN)
    return user


@pytest.fixture
def member_of(account, company):
    """Make somebody a person of the company."""

    def make(name: str, **fields):
        person = MembershipFactory.create(
            user=UserFactory.create(name=name), account=account, **fields
        )
        company.people.add(person)
        return person

    return make


@pytest.fixture
def picture():
    """An uploaded picture of a kind and size."""

    def make(kind: str = "PNG", size: tuple[int, int] = (40, 20), name: str = "logo.png"):
        content = BytesIO()
        Image.new("RGB", size).save(content, kind)
        return SimpleUploadedFile(name, content.getvalue(), f"image/{kind.lower()}")

    return make
