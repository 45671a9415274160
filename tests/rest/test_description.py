"""The description of the API: valid OpenAPI, complete, and open to everybody."""

from __future__ import annotations

from collections import Counter

import pytest
from drf_spectacular.validation import validate_schema
from rest_framework.views import APIView

from erpbridge.rest.schema.json_schema import schema_of
from erpbridge.rest.schema.openapi import Described, describe
from erpbridge.rest.schema.operations import Page, an_object, answers, declared_by, takes
from tests.access.test_isolation import DESCRIPTION, routes

METHODS = ("get", "post", "patch", "put", "delete")


def operations() -> list[dict]:
    return [operation for path in describe()["paths"].values() for operation in path.values()]


def test_it_is_openapi_3_1():
    assert describe()["openapi"].startswith("3.1")
    validate_schema(describe())


def test_every_address_of_the_api_is_described():
    described = set(describe()["paths"])
    for route in set(routes()) - DESCRIPTION:
        path = "/" + route.replace("<int:pk>", "{id}")
        path = path.replace("<int:", "{").replace("<uuid:", "{").replace(">", "}")
        assert path in described


def test_a_generator_of_clients_finds_one_name_for_each_call():
    names = Counter(operation["operationId"] for operation in operations())
    assert [name for name, count in names.items() if count > 1] == []


def test_every_call_says_in_words_what_it_does():
    for operation in operations():
        assert operation["summary"]
        assert ":raises" not in operation["summary"] + operation.get("description", "")
        assert "``" not in operation["summary"] + operation.get("description", "")


def test_what_is_deprecated_says_so():
    assert len([operation for operation in operations() if operation.get("deprecated")]) == 3


def test_a_list_names_its_filters_its_sorts_and_the_words_of_its_views():
    parameters = describe()["paths"]["/rest/v1.0/vendors"]["get"]["parameters"]
    by_name = {parameter["name"]: parameter for parameter in parameters}
    assert by_name["view"]["schema"]["default"] == "extended"
    assert "-" in by_name["sort"]["description"]
    assert {"filters[origin_id]", "filters[search]", "filters[updated_at]"} <= set(by_name)
    assert {"Procore-Company-Id", "company_id"} <= set(by_name)


def test_a_body_tells_the_limits_of_the_columns_it_ends_up_in():
    body = describe()["paths"]["/rest/v1.0/vendors"]["post"]["requestBody"]
    vendor = body["content"]["application/json"]["schema"]["properties"]["vendor"]
    assert vendor["required"] == ["name"]
    assert vendor["properties"]["zip"]["maxLength"] == 20
    assert vendor["properties"]["trade_ids"]["items"] == {"type": "integer"}


def test_a_handler_that_says_nothing_stops_the_description():
    class Silent(APIView):
        def get(self, request): ...

    described = Described()
    described.view = Silent()
    with pytest.raises(LookupError, match=r"Silent\.get has no @answers"):
        described.get_operation("/rest/v1.0/x", "rest/v1.0/x", "^/rest", "GET", None)


def test_what_decorators_note_stays_with_the_handler():
    @takes(an_object({"name": {"type": "string"}}), wrapped="thing", required=["name"])
    @answers(Page)
    def handler() -> None: ...

    declared = declared_by(handler)
    assert declared.answers == {200: Page}
    assert declared.body["required"] == ["thing"]


def test_a_type_without_a_schema_is_refused():
    with pytest.raises(TypeError, match="has no schema"):
        schema_of(complex, None)


@pytest.mark.parametrize("path", ["/rest/openapi.json", "/rest/docs"])
def test_anybody_may_read_it_and_nobody_can_write_it(client, path):
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 405


def test_the_file_is_json_with_cors_for_tools_in_browsers(client):
    answer = client.get("/rest/openapi.json", headers={"Origin": "https://tools.example"})
    assert answer["Content-Type"] == "application/json"
    assert answer["Access-Control-Allow-Origin"] == "https://tools.example"
    assert answer.json()["paths"] == describe()["paths"]
