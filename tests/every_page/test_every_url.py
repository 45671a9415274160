"""Every URL of an account, whichever app it belongs to, is closed to people of other accounts.

Whoever adds a URL with a new argument adds the argument to :func:`ours`, with an id that exists in
the cast's account, so that the test also proves that the id is not honored from another account.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern

from admin_wbs.models import Segment
from admin_wbs.projects import sub_jobs
from admin_wbs.segments import items as segment_items
from admin_wbs.segments import services as segment_services
from erpbridge.access.models import Membership
from tests.factories import (
    ApplicationFactory,
    CodeImportFactory,
    CodeListFactory,
    CompanyFactory,
    CompanyImportFactory,
    ConnectionFactory,
    CostCodeFactory,
    ExportFileFactory,
    ItemFactory,
    JobFactory,
    RequestFactory,
)

# Arguments that refer to no object; an address with only these shows persons their own page.
NO_OBJECT = {"account_id", "kind"}


@pytest.fixture
def ours(account, project, sam) -> dict[str, object]:
    """A value for every argument of a URL; ids are of objects of the cast's account."""
    segment = segment_services.add(account, name="Phase", tiered=True, by=sam)
    sub_job = Segment.objects.get(account=account, kind=Segment.Kind.SUB_JOB)
    segment_services.enable(sub_job, on=True, by=sam)
    return {
        "account_id": account.pk,
        "project_id": project.pk,
        "membership_id": Membership.objects.get(user=sam).pk,
        "company_id": CompanyFactory.create(account=account).pk,
        "list_id": CodeListFactory.create(account=account).pk,
        "code_id": CostCodeFactory.create(list__account=account).pk,
        "code_import_id": CodeImportFactory.create(list__account=account, by=sam).pk,
        "segment_id": segment.pk,
        "item_id": segment_items.add(segment, code="1", description="Shell", by=sam).pk,
        "sub_job_id": sub_jobs.add(project, code="1", name="Garage", by=sam).pk,
        "type_id": account.cost_types.all()[0].pk,
        "import_id": CompanyImportFactory.create(account=account, by=sam).pk,
        "request_id": RequestFactory.create(account=account, by=sam).pk,
        "public_id": ItemFactory.create(account=account, sent_by=sam).public_id,
        "pk": ConnectionFactory.create(account=account).pk,
        "kind": "companies",
        "application_id": ApplicationFactory.create(account=account).pk,
        "job_id": JobFactory.create(account=account, by=sam).public_id,
        "file_id": ExportFileFactory.create(connection__account=account, made_by=sam).public_id,
    }


def walk(
    patterns: list[URLPattern | URLResolver],
    namespace: str = "",
    arguments: frozenset[str] = frozenset(),
) -> Iterator[tuple[str, frozenset[str]]]:
    """Name and arguments of every URL of the project."""
    for pattern in patterns:
        taken = arguments | set(
            pattern.pattern.converters if isinstance(pattern.pattern, RoutePattern) else ()
        )
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from walk(pattern.url_patterns, inner, taken)
        else:
            yield f"{namespace}{pattern.name}", taken - set(pattern.default_args)


OF_ACCOUNTS = sorted(
    {
        (name, tuple(sorted(arguments)))
        for name, arguments in walk(get_resolver().url_patterns)
        if "account_id" in arguments
    }
)
OF_OBJECTS = [url for url in OF_ACCOUNTS if set(url[1]) - NO_OBJECT]


def address(name: str, arguments: tuple[str, ...], values: dict[str, object]) -> str:
    missing = set(arguments) - set(values)
    assert not missing, f"{name} has arguments this test does not know yet: {sorted(missing)}"
    return reverse(name, kwargs={argument: values[argument] for argument in arguments})


def ids(url: tuple[str, tuple[str, ...]]) -> str:
    return url[0]


def answers(client: Client, path: str) -> set[int]:
    """The statuses of GET and POST, without 405, which a page answers to a method it lacks."""
    statuses = {client.get(path).status_code, client.post(path).status_code}
    return statuses - {405}


def test_the_walk_finds_the_pages_of_every_app():
    assert {name.partition(":")[0] for name, _ in OF_ACCOUNTS} >= {"access", "directory", "erp"}


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_an_outsider_finds_nothing(url, ours, client_of, olga):
    assert answers(client_of(olga), address(*url, ours)) == {404}


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_a_visitor_is_asked_to_log_in(url, ours):
    path = address(*url, ours)
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("login"))
    refused = Client().post(path)
    assert refused.status_code == 401
    assert f'action="{reverse("login")}"' in refused.text


@pytest.mark.parametrize("url", OF_OBJECTS, ids=ids)
def test_ids_of_one_account_mean_nothing_in_another(url, ours, client_of, olga, other_account):
    foreign = ours | {"account_id": other_account.pk}
    assert answers(client_of(olga), address(*url, foreign)) == {404}


@pytest.mark.parametrize("url", OF_ACCOUNTS, ids=ids)
def test_impossible_ids_are_not_found(url, ours, client_of, ada):
    numbers = [name for name in url[1] if isinstance(ours[name], int)]
    for name in numbers:
        path = address(*url, ours | {name: 10**20})
        assert answers(client_of(ada), path) == {404}, name
