"""Calls that schemathesis generates from the whole description, by three kinds of callers.

No call causes a server error, or gets a status or a body that the description does not have; a
caller who may not write changes nothing, one of another account also sees nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from admin_wbs.models import (
    CodeList,
    CostCode,
    CostType,
    ProjectCostCode,
    Segment,
    SegmentItem,
    SubJob,
    WbsCode,
)
from directory.models import Company, Department, Insurance, ProjectCompany, Trade
from erp_integrations.models import Item
from erpbridge.access.models import Membership, Project, ProjectMembership
from erpbridge.wsgi import application
from tests.every_call.ours import MARK, ROWS

pytestmark = [pytest.mark.django_db, pytest.mark.shared]
# The long form, by hand: ERPBRIDGE_FUZZ=100 python -m pytest tests/every_call/test_fuzzing.py
EXAMPLES = int(os.environ.get("ERPBRIDGE_FUZZ", "2"))
description = schemathesis.openapi.from_wsgi(
    "/rest/openapi.json",
    application,
    config=SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": EXAMPLES > 4}}}),
)
VARIABLES = {
    "company_id": "account",
    "project_id": "project",
    "vendor_id": "company",
    "segment_id": "segment",
    "request_id": "click",
}
SCOPES = {
    "company_id": "account",
    "Procore-Company-Id": "account",
    "project_id": "project",
    "standard_cost_code_list_id": "code_list",
}
KEPT = (
    *(Company, ProjectCompany, Trade, Department, Insurance, Project, Membership),
    *(ProjectMembership, CodeList, CostCode, CostType, Segment, SegmentItem, SubJob, WbsCode),
    *(ProjectCostCode, Item),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
fuzz_settings = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def aim(case: Any, ours: dict[str, Any]) -> None:
    """Point a generated call at existing rows, so that it is not only answered 404."""
    parts = case.operation.path.split("/")
    for name in case.path_parameters or {}:
        case.path_parameters[name] = named(name, parts[: parts.index(f"{{{name}}}")], ours)
    for given in (case.query, case.headers):
        for name, row in SCOPES.items():
            if given and name in given:
                given[name] = str(ours[row])


def named(name: str, before: list[str], ours: dict[str, Any]) -> Any:
    """The id of the row that a variable of an address refers to."""
    if name in VARIABLES:
        return ours[VARIABLES[name]]
    return ours[ROWS.get("/".join(before[-2:])) or ROWS[before[-1]]]


def stored_rows() -> list[Any]:
    """Every row of the account that a call could change."""
    return [list(model._base_manager.order_by("pk").values()) for model in KEPT]


@contextmanager
def the_tests_own_connection() -> Iterator[None]:
    """As Django's test client does: a request must not close the connection of the test."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def call(case: Any, caller: Any) -> Any:
    """The answer, validated against the description."""
    with the_tests_own_connection():
        return case.call_and_validate(
            headers={"Authorization": f"Bearer {caller.token}"}, checks=CHECKS
        )


@description.parametrize()
@fuzz_settings
def test_an_admin_is_answered_as_described(case, ours, api):
    aim(case, ours)
    call(case, api)


@description.parametrize()
@fuzz_settings
def test_a_reader_changes_nothing(case, ours, reader):
    before = stored_rows()
    aim(case, ours)
    call(case, reader)
    assert stored_rows() == before


@description.parametrize()
@fuzz_settings
def test_a_stranger_sees_and_changes_nothing(case, ours, stranger):
    before = stored_rows()
    aim(case, ours)
    answer = call(case, stranger)
    assert MARK not in answer.text
    assert stored_rows() == before
