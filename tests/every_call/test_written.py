"""What each writing operation locks, stores, notes and answers, in ``written.txt``.

The calls are those of :mod:`tests.every_call.writes`. After an intended change run with
``ERPBRIDGE_WRITTEN=anew``, and review the diff.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db.models import Model

from tests.db.transactions import taken_back
from tests.erp_integrations.dying import locking
from tests.every_call import golden, writes
from tests.every_call.test_refusals import WITHOUT_ETAG, send
from tests.every_call.test_shown import written
from tests.every_call.writes import Call, Operation, Scene

KEPT = Path(__file__).with_name("written.txt")
# Columns that follow from others, or do not matter here.
DERIVED = re.compile(r".*(_key|_text|_folded|_compared|_path|_reading)")
PASSED_OVER = {
    "id",
    "account_id",
    "actor_id",
    "request_id",
    "password",
    "public_id",
    "combination",
    "join_nonce",
}
ID = re.compile(r"(.*_)?ids?|project|connection|company|item|number|list")
UNKNOWN = (
    (re.compile(r"[0-9a-f]{64}"), "digest"),
    (re.compile(r"[0-9a-f]{8}-?[0-9a-f-]{23,27}"), "id"),
    (re.compile(r"[\w-]+@service"), "program@service"),
    (re.compile(r"@\d+\."), "@account."),
    (re.compile(r"\b(Work|Person) \d+"), r"\1 n"),
    (re.compile(r"taken by \d+"), "taken by id"),
    (re.compile(r"^item:\d+$"), "item:id"),
    (re.compile(r"^/accounts/\d+/"), "/accounts/id/"),
    (re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d\d:\d\d [A-Z]+"), "time"),
)
UNTOLD = ("id", "time")
# Change without a new ``updated_at``: where the record stands in its export, and what is not shown.
UNTIMED = {"erp_state", "drifted", "join_nonce"}
STEP = "  "
Rows = dict[str, dict[Any, dict[str, Any]]]


@pytest.fixture
def scene(all_segments, account, ada) -> Scene:
    return Scene(account, ada)


@pytest.mark.parametrize("part", range(golden.PARTS))
def test_each_writing_operation_does_what_the_file_says(scene, api, part):
    operations = writes.distinct()
    blocks = []
    for operation in operations[part :: golden.PARTS]:
        block = [f"{operation.method} {operation.name}{' in a project' * operation.of_project}"]
        for line in lines_of(scene, api, operation, scene.call(operation)):
            block += folded(line)
        blocks.append(block)
    golden.compare(KEPT, part, blocks, of=len(operations), anew="ERPBRIDGE_WRITTEN")


def folded(line: str) -> list[str]:
    indents = {"initial_indent": STEP, "subsequent_indent": 3 * STEP}
    return wrap(line, 98, break_long_words=False, break_on_hyphens=False, **indents)


def lines_of(scene: Scene, api: Any, operation: Operation, call: Call) -> Iterator[str]:
    with locking() as compared:
        refused = send(scene, api, operation, call, If_Match=WITHOUT_ETAG)
    if refused.status_code == 412:
        yield f"to compare, locks {locks(compared)}"
    before = rows()
    with taken_back():
        with locking() as locked:
            answer = send(scene, api, operation, call)
        assert [lock for lock in locked if not lock.in_order] == [], operation
        after = rows()
        assert not unnoticed(before, after), "an API client that asks for changes would miss them"
        yield f"locks {locks(locked)}"
        yield from differences(before, after)
        yield f"answers {answer.status_code} {body_text(scene, api, operation, call, answer)}"


def locks(locked: list[Any]) -> str:
    """The tables in the order in which they are locked."""
    names = [lock.model.rpartition(".")[2] + "!" * (not lock.leaves_keys) for lock in locked]
    return " ".join(dict.fromkeys(names)) or "nothing"


def body_text(scene: Scene, api: Any, operation: Operation, call: Call, answer: Any) -> str:
    """The body, or that it equals what a GET shows afterwards, with the same tag."""
    path = scene.address(operation, call).partition("?")[0]
    value = answer.json() if answer.content else None
    read = reading(scene, api, operation, path, value)
    if read is not None:
        tag = "with its tag" if answer.get("ETag") == read["ETag"] else "without its tag"
        return f"as it can be read, {tag}"
    if isinstance(value, dict) and "entities" in value:
        rows = value["entities"]
        if all(reading(scene, api, operation, path, row) is not None for row in rows):
            value["entities"] = f"{len(rows)} as can be read"
    text = "nothing" if value is None else written(plain(value))
    return f"{text}, with a tag" if "ETag" in answer else text


def reading(scene: Scene, api: Any, operation: Operation, path: str, value: Any) -> Any:
    """The GET that shows this value: of the same address, or of its record."""
    base = re.sub(r"/(sync|inactive|bulk_create|actions/\w+)(?=/|$)", "", path)
    pk = value.get("id") if isinstance(value, dict) else None
    for address in dict.fromkeys([path, base, f"{path}/{pk}", f"{base}/{pk}"]):
        read = api.get(f"{address}?{query(scene, operation)}")
        if read.status_code == 200 and read.json() == value:
            return read
    return None


def query(scene: Scene, operation: Operation) -> str:
    if operation.name.startswith(writes.NAMES_PROJECT):
        return f"project_id={scene.plain.pk}"
    return f"standard_cost_code_list_id={scene.list.pk}"


def rows() -> Rows:
    """Every row of every table of the product, by id."""
    models: list[type[Model]] = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model.__module__.partition(".")[0]
        in ("erpbridge", "directory", "admin_wbs", "erp_integrations")
    ]
    return {
        model._meta.label: {
            row[model._meta.pk.attname]: row for row in model._base_manager.values()
        }
        for model in models
    }


def differences(before: Rows, after: Rows) -> Iterator[str]:
    for table in sorted(after):
        was, now, name = before[table], after[table], table.rpartition(".")[2]
        yield from sorted(f"+ {name}: {columns(now[pk])}" for pk in now.keys() - was.keys())
        yield from [f"- {name}"] * len(was.keys() - now.keys())
        changed = (
            {column: now[pk][column] for column in now[pk] if now[pk][column] != was[pk][column]}
            for pk in now.keys() & was.keys()
        )
        yield from sorted(f"* {name}: {columns(row, also_empty=True)}" for row in changed if row)


def unnoticed(before: Rows, after: Rows) -> list[str]:
    """Changed rows by the columns that changed, where ``updated_at`` did not change with them."""
    return [
        f"{table}: {' '.join(sorted(changed))}"
        for table, was in before.items()
        for pk in was.keys() & after[table].keys()
        if "updated_at" in was[pk]
        and (changed := {name for name in was[pk] if was[pk][name] != after[table][pk][name]})
        and not changed <= UNTIMED
        and "updated_at" not in changed
    ]


def columns(row: Mapping[str, Any], *, also_empty: bool = False) -> str:
    """The values, then the names of columns with ids or times that are set."""
    kept = {
        name: value
        for name, value in row.items()
        if (value or also_empty) and name not in PASSED_OVER
    }
    unknown = [name for name, value in kept.items() if plain(value, name) in UNTOLD and value]
    values = {
        name: plain(value, name)
        for name, value in kept.items()
        if name not in unknown and not DERIVED.fullmatch(name)
    }
    parts = [f"{name} {written(value)}" for name, value in values.items()]
    return ", ".join([*parts, " ".join(name for name in unknown if not DERIVED.fullmatch(name))])


def plain(value: Any, name: str = "") -> Any:
    """The value without ids and times, which differ in each run, and without nulls."""
    if isinstance(value, dict):
        return {key: plain(inner, key) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [plain(inner, name) for inner in value]
    if isinstance(value, datetime | date):
        return "time"
    if isinstance(value, UUID) or (type(value) is int and ID.fullmatch(name)):
        return "id"
    if isinstance(value, str):
        for pattern, word in UNKNOWN:
            value = pattern.sub(word, value)
        return "time" if name.endswith("_at") else value
    return value
