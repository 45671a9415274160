"""A list goes out as a file, and the file gives the same list."""

from __future__ import annotations

import pytest
from django.test import TestCase
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from admin_wbs.cost_codes import services as code_services
from admin_wbs.importing import apply, columns, export
from admin_wbs.importing import plan as planning
from admin_wbs.importing.plan import State
from admin_wbs.models import CodeList
from admin_wbs.models.full_code import full_code
from erpbridge.db.text import DIRECTION_CONTROLS, one_line
from erpbridge.files.read import read
from tests.factories import CodeListFactory, UserFactory
from tests.generator import codes as invented

SIGNS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
TRICKY = st.sampled_from(["=1+1", "+1", "-5", "@a", "'=x", "''-1", "01", "1e5", "a,b", 'x"y', ";"])


def texts(longest: int) -> st.SearchStrategy[str]:
    made = st.one_of(TRICKY, st.text(SIGNS, min_size=1, max_size=longest))
    # As codes and descriptions are stored, whichever way they came in.
    stored = made.map(one_line).filter(bool)
    return stored.filter(lambda text: not DIRECTION_CONTROLS.search(text))


@st.composite
def trees(draw) -> list[tuple[list[str], str]]:
    """Codes in parents-first order, no full code twice."""
    rows: list[tuple[list[str], str]] = []
    taken: set[str] = set()
    for code in draw(st.lists(texts(8), min_size=1, max_size=12)):
        parents = [[], *(path for path, _ in rows if len(path) < 5)]
        path = [*draw(st.sampled_from(parents)), code]
        folded = full_code(path).lower()
        if folded not in taken and folded == full_code(path).casefold():
            taken.add(folded)
            rows.append((path, draw(texts(40))))
    assume(rows)
    return rows


def tree(code_list: CodeList) -> list[tuple[list[str], str]]:
    return list(code_list.codes.order_by("sort_path", "pk").values_list("path", "description"))


def plan_of(content: bytes, code_list: CodeList) -> planning.Plan:
    table = read(content)
    layout = columns.recognized(table.header)
    return planning.make(code_list, table.lines, layout, header=table.header, delimiter="-")


def files_of(code_list: CodeList) -> list[bytes]:
    return ["".join(export.as_csv(code_list)).encode(), export.as_workbook(code_list)]


class RoundTrip(HypothesisTestCase, TestCase):
    @settings(max_examples=40, deadline=None)
    @given(trees())
    def test_an_exported_list_imports_back_to_the_same_list(self, rows):
        user, code_list = UserFactory.create(), CodeListFactory.create()
        code_services.add_many(code_list, rows, by=user)
        for content in files_of(code_list):
            again = plan_of(content, code_list)
            assert again.counts == {State.UNCHANGED: len(rows)}, again.refused
            empty = CodeListFactory.create(account=code_list.account)
            apply.import_plan(plan_of(content, empty), empty, file_name="x", by=user)
            assert tree(empty) == tree(code_list)


@pytest.mark.django_db
def test_thousands_of_codes_in_five_tiers_go_out_and_come_back(account, ada, code_list):
    code_services.add_many(code_list, invented(3_000), by=ada)
    for content in files_of(code_list):
        empty = CodeListFactory.create(account=account)
        result = apply.import_plan(plan_of(content, empty), empty, file_name="x", by=ada)
        assert (result.created, result.refused) == (3_000, [])
        assert tree(empty) == tree(code_list)


@pytest.mark.django_db
def test_a_list_without_codes_is_a_heading(code_list):
    assert [*export.rows(code_list)] == [["Cost Code Level 1", "Cost Code Level 2", "Description"]]
