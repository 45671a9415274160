"""Lists page by keyset: every row once, in both directions, whatever is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.expressions import Combinable
from django.db.models.functions import Lower
from django.http import QueryDict

from erpbridge.access.models import Account, Project
from erpbridge.ui.listing import Count, Page, capped_count, list_page
from tests.factories import ProjectFactory

SORTS: dict[str, str | Combinable] = {
    "name": Lower("name"),
    "number": "number",
    "made": "created_at",
    "owner": "account__name",
}


def listed(query: str = "") -> Page[Project]:
    return list_page(
        Project.objects.all(),
        QueryDict(query),
        sorts=SORTS,
        search=lambda projects, words: projects.filter(name__icontains=words),
    )


def walk(query: str, direction: str, start: Page[Project]) -> list[Page[Project]]:
    """All pages from ``start`` on, by its next or previous links."""
    pages = [start]
    while cursor := getattr(pages[-1], direction):
        word = "after" if direction == "next" else "before"
        pages.append(listed(f"{query}&{word}={cursor}"))
    return pages


@pytest.fixture
def projects(account: Account) -> list[Project]:
    """Sixty projects of which many share a name, and case does not decide the order."""
    return [
        ProjectFactory.create(account=account, number=f"{n:03}", name=f"{'pP'[n % 2]}ier {n % 4}")
        for n in range(60)
    ]


@pytest.mark.parametrize("sort", ["name", "-name", "number", "-number", "made", "-made", "owner"])
def test_every_row_is_on_exactly_one_page(projects: list[Project], sort: str) -> None:
    query = f"size=25&sort={sort}"
    pages = walk(query, "next", listed(query))
    ids = [row.pk for page in pages for row in page.rows]
    assert [len(page.rows) for page in pages] == [25, 25, 10]
    assert sorted(ids) == sorted(project.pk for project in projects)
    keys = [(row.listing_key, row.pk) for page in pages for row in page.rows]  # type: ignore[attr-defined]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", ["name", "-name", "made"])
def test_the_way_back_shows_the_same_pages(projects: list[Project], sort: str) -> None:
    query = f"size=25&sort={sort}"
    forth = walk(query, "next", listed(query))
    back = walk(query, "previous", forth[-1])
    assert [page.rows for page in back[1:]] == [page.rows for page in reversed(forth[:-1])]
    assert not back[-1].previous
    assert back[-1].next


def test_the_way_back_ends_on_a_full_first_page(projects: list[Project]) -> None:
    second = listed(f"size=25&sort=number&after={listed('size=25&sort=number').next}")
    Project.objects.filter(number__lt="010").delete()
    first = listed(f"size=25&sort=number&before={second.previous}")
    assert [row.number for row in first.rows] == [f"{n:03}" for n in range(10, 35)]
    assert not first.previous


def test_a_page_whose_rows_have_gone_becomes_the_first(projects: list[Project]) -> None:
    cursor = listed("size=25&sort=number").next
    Project.objects.filter(number__gte="025").delete()
    assert listed(f"size=25&sort=number&after={cursor}").rows[0].number == "000"


@pytest.mark.parametrize("word", ["after", "before"])
@pytest.mark.parametrize("cursor", ["nonsense", "%00", "eyJh:1:2", "🙂", "x" * 5000])
def test_a_broken_cursor_gives_the_first_page(
    projects: list[Project], word: str, cursor: str
) -> None:
    assert listed(f"sort=number&{word}={cursor}").rows[0].number == "000"


def test_a_cursor_of_another_sort_gives_the_first_page(projects: list[Project]) -> None:
    cursor = listed("size=25&sort=-number").next
    assert listed(f"size=25&sort=number&after={cursor}").rows[0].number == "000"


@pytest.mark.parametrize("query", ["sort=password", "size=7", "size=-1", "size=x", "q=%00"])
def test_values_nobody_offers_are_ignored(projects: list[Project], query: str) -> None:
    page = listed(query)
    assert (page.sort, page.size, len(page.rows)) == ("name", 50, 50)


def test_search_narrows_the_rows_and_the_count(projects: list[Project]) -> None:
    page = listed("q=pier+3&size=25&sort=number")
    assert {row.name for row in page.rows} == {"Pier 3"}
    assert str(page.count) == "15"
    assert not page.several


def test_links_keep_search_filters_sort_and_size_but_no_cursor(projects: list[Project]) -> None:
    page = listed("q=pier&trade=1&trade=2&erp=&sort=number&size=25&after=x")
    assert page.first_href == "?trade=1&trade=2&sort=number&size=25&q=pier"
    assert page.token("trade", "Trade: Steel").href == "?sort=number&size=25&q=pier"
    assert page.filter_query == "trade=1&trade=2&q=pier"


def test_counting_stops_at_the_cap(projects: list[Project]) -> None:
    assert capped_count(Project.objects.all(), cap=60) == Count(60)
    assert str(capped_count(Project.objects.all(), cap=59)) == "59+"
    assert str(Count(1000, capped=True)) == "1,000+"


def test_a_page_costs_two_queries_and_no_offset(
    projects: list[Project], django_assert_num_queries: Any
) -> None:
    cursor = listed("size=25").next
    with django_assert_num_queries(2) as asked:
        listed(f"size=25&after={cursor}")
    assert not [query for query in asked.captured_queries if "OFFSET" in query["sql"]]


def test_a_page_without_others_is_its_own_count(
    projects: list[Project], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        page = listed("q=pier+3&size=25")
    assert page.count == Count(len(page.rows))


def test_a_null_sort_key_is_a_programming_error(projects: list[Project]) -> None:
    queryset = Project.objects.all()
    with pytest.raises(ValueError, match="Coalesce"):
        list_page(
            queryset, QueryDict("size=25"), sorts={"by": "memberships__membership__job_title"}
        )
