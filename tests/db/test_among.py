"""The lookup ``among``, on the database that the suite runs on."""

from __future__ import annotations

import pytest

from directory.models import Company, ProjectCompany
from tests.factories import CompanyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(account):
    return [CompanyFactory(account=account) for _ in range(3)]


def test_rows_are_found_by_many_ids_and_only_these(three):
    wanted = [three[0].pk, three[2].pk, 2**62]
    companies = Company.objects.filter(pk__among=wanted)
    assert set(companies) == {three[0], three[2]}
    assert not Company.objects.filter(pk__among=[]).exists()


def test_relations_are_found_by_the_ids_they_point_to(three, project):
    for company in three:
        ProjectCompany.objects.create(project=project, company=company)
    placements = ProjectCompany.objects.filter(company__among=[three[1].pk])
    assert [placement.company for placement in placements] == [three[1]]


def test_a_page_of_ids_is_one_parameter(three):
    _sql, parameters = Company.objects.filter(pk__among=range(1000)).query.sql_with_params()
    assert len(parameters) == 1
