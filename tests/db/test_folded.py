"""The folded columns of a row are kept up to date however it is written."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat

from admin_wbs.models import CostCode
from directory.models import Company, Trade
from erpbridge.access.models import Project, User
from erpbridge.db.bulk_insert import insert
from erpbridge.db.bulk_update import write_rows
from erpbridge.db.folded_backfill import fill, refuse_equal
from erpbridge.db.folded_fields import Folding, FoldingQuerySet, folded_fields, has_words
from erpbridge.db.text import DIGEST, LONGEST_KEY, key
from tests.factories import CodeListFactory, CostCodeFactory, ProjectFactory, UserFactory

FOLDING = [model for model in apps.get_models() if folded_fields(model)]


@pytest.fixture
def trade(account) -> Trade:
    return Trade.objects.create(account=account, name="Béton")


def folded_of(trade: Trade) -> tuple[str, str]:
    return Trade.objects.values_list("name_key", "search_text").get(pk=trade.pk)


def test_every_model_with_folded_columns_keeps_them_whoever_writes():
    assert len(FOLDING) > 15
    assert [model for model in FOLDING if not issubclass(model, Folding)] == []
    assert [
        model for model in FOLDING if not isinstance(model._default_manager.all(), FoldingQuerySet)
    ] == []


def test_a_saved_row_is_folded(trade):
    assert folded_of(trade) == ("béton", "beton")
    trade.name = "ÉLEC"
    trade.save(update_fields=["name"])
    assert folded_of(trade) == ("élec", "elec")
    trade.name_key = "what is assigned does not count"
    trade.save()
    assert folded_of(trade) == ("élec", "elec")


def test_an_update_folds_what_it_is_given_in_one_statement(trade, django_assert_num_queries):
    with django_assert_num_queries(1):
        Trade.objects.filter(pk=trade.pk).update(name="ÉLEC")
    assert folded_of(trade) == ("élec", "elec")


def test_an_update_by_an_expression_is_folded_too(trade):
    Trade.objects.filter(name_key="béton").update(name=Concat(F("name"), Value(" II")))
    assert folded_of(trade) == ("béton ii", "beton ii")


def test_an_update_of_a_part_of_what_is_folded_together_keeps_the_rest(account):
    code = CostCodeFactory.create(list=CodeListFactory.create(account=account), code="01")
    CostCode.objects.filter(pk=code.pk).update(description="Coulée de béton")
    assert CostCode.objects.get(has_words("01 BETON", "search_text")) == code


def test_many_rows_at_once_are_folded(account, trade):
    made = Trade.objects.bulk_create([Trade(account=account, name="ÇELİK")])
    assert folded_of(made[0]) == ("çelik", "celik")
    made[0].name, trade.name = "ŁÓDŹ", "ØRE"
    Trade.objects.bulk_update([made[0], trade], ["name"])
    assert [folded_of(made[0]), folded_of(trade)] == [("łódź", "lodz"), ("øre", "ore")]
    made[0].name = "Œuvre"
    write_rows(made, ["name"])
    assert folded_of(made[0]) == ("œuvre", "oeuvre")
    made[0].name = "Çam"
    Trade.objects.bulk_create(
        made, update_conflicts=True, unique_fields=["id"], update_fields=["name"]
    )
    assert folded_of(made[0]) == ("çam", "cam")


def test_rows_that_are_copied_in_are_folded(account):
    insert([Trade(account=account, name=f"É{n}") for n in range(60)])
    assert Trade.objects.filter(name_key="é59", search_text="e59").exists()


def test_a_row_that_was_read_in_part_is_folded_when_it_is_saved(trade):
    part = Trade.objects.only("is_active").get(pk=trade.pk)
    part.is_active = False
    part.save()
    assert folded_of(trade) == ("béton", "beton")


def test_a_key_stays_as_long_as_an_index_takes_and_tells_long_texts_apart():
    long, other = "\ufdfa" * 200, "\ufdfa" * 199 + "x"
    assert len(key(long)) == LONGEST_KEY
    assert key(long) != key(other)
    assert key(long)[:-DIGEST] == key(other)[:-DIGEST]


def test_every_word_is_looked_for_in_all_columns(account):
    project = ProjectFactory.create(account=account, number="ÉT-7", name="Quai d’Orsay")
    matches = Project.objects.filter(has_words("dorsay et-7", "number_text", "name_text"))
    assert list(matches) == [project]
    assert not Project.objects.filter(has_words("quai x", "number_text", "name_text")).exists()
    assert Project.objects.filter(has_words(" \u200b ", "name_text")).exists()


def test_a_person_is_found_without_accents(db):
    user = UserFactory.create(name="Zoë Brontë", email="zb@example.com")
    User.objects.filter(pk=user.pk).update(name="Željko Ivanek")
    assert User.objects.get(has_words("zeljko", "name_text")) == user


def test_a_migration_fills_rows_that_were_there_before(trade):
    Trade._base_manager.update(name_key="", search_text="")
    fill(Trade)
    assert folded_of(trade) == ("béton", "beton")


def test_a_migration_stops_where_two_rows_become_the_same_and_says_what_to_do(account, trade):
    other = Trade.objects.create(account=account, name="Beton")
    refuse_equal(Trade, "name_key", "account")
    with connection.constraint_checks_disabled():
        Trade._base_manager.filter(pk=other.pk).update(name="BE\u0301TON")
    with pytest.raises(RuntimeError) as stopped:
        refuse_equal(Trade, "name_key", "account")
    for words in (
        "Nothing was changed",
        f"(id {trade.pk})",
        f"(id {other.pk})",
        "rename",
        "migrate",
    ):
        assert words in str(stopped.value)
    assert Trade.objects.count() == 2


def test_companies_are_ordered_and_told_by_the_same_rule(account):
    columns = {field.name for field in folded_fields(Company)}
    assert columns == {"city_key", "origin_text"}
