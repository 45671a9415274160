"""Rows by many ids, and as objects for JSON, on the database that the suite runs on."""

from __future__ import annotations

import pytest

from directory.models import Company, ProjectCompany
from erpbridge.db.among import among
from erpbridge.db.json_rows import (
    Computed,
    ComputedIfSet,
    Constant,
    FromMapping,
    JsonRows,
    OrNull,
    json_text,
)
from tests.factories import CompanyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(account):
    return [CompanyFactory(account=account) for _ in range(3)]


def test_rows_are_found_by_many_ids_and_only_these(three):
    wanted = [three[0].pk, three[2].pk, 2**62]
    companies = Company.objects.filter(among("pk", wanted))
    assert set(companies) == {three[0], three[2]}
    assert not Company.objects.filter(among("pk", [])).exists()


def test_relations_are_found_by_the_ids_they_point_to(three, project):
    for company in three:
        ProjectCompany.objects.create(project=project, company=company)
    placements = ProjectCompany.objects.filter(among("company_id", [three[1].pk]))
    assert [placement.company for placement in placements] == [three[1]]


def test_a_page_of_ids_is_one_parameter(three):
    rows = Company.objects.filter(among("pk", range(1000)))
    _sql, parameters = rows.query.sql_with_params()
    assert len(parameters) == 1


def test_each_field_is_a_column_or_made_of_columns(three, django_assert_num_queries):
    first, second, _third = three
    Company.objects.filter(pk=first.pk).update(city="Salem", classifications=["small_business"])
    Company.objects.filter(pk=second.pk).update(parent=first)
    shown = JsonRows(
        Company,
        {
            "id": "pk",
            "city": OrNull("city"),
            "kinds": Computed(len, json_text("classifications")),
            "parent": ComputedIfSet("{} {}".format, "parent_id", "parent__name"),
            "people": FromMapping("people", default=0),
            "it's": Constant(()),
        },
    )
    with django_assert_num_queries(1):
        rows = shown([first.pk, second.pk, 2**62], people={second.pk: 3})
    assert set(rows) == {first.pk, second.pk}
    assert rows[first.pk] == {
        "id": first.pk,
        "city": "Salem",
        "kinds": len('["small_business"]'),
        "parent": None,
        "people": 0,
        "it's": (),
    }
    assert rows[second.pk]["parent"] == f"{first.pk} {first.name}"
    assert rows[second.pk]["people"] == 3
