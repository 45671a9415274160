"""Every filter of every list, with values that no filter was made for: an answer, never a fault."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest

from erpbridge.rest.schema.openapi import describe

ODD = {
    "no value": b"[]",
    "a list in a list": b"[[]]",
    "null": b"[null]",
    "an object": b'[{"a": 1}]',
    "a null character": b"\x00",
    "a null character in JSON": b'["\\u0000"]',
    "half a character": b"\xed\xa0\x80",
    "half a character in JSON": b'["\\ud800"]',
    "JSON nested deep": b"[" * 500 + b"]" * 500,
    "commas": b",,",
    "a number too large": b"9" * 40,
    "a digit of another script": "\u0661".encode(),
    "before the first day": b"0001-01-01T00:00:00+23:59",
    "the last day": b"9999-12-31",
    "a range of nothing": b"...",
    "many ids": b",".join(b"%d" % number for number in range(700)),
}
VARIABLES = {
    "company_id": "account",
    "project_id": "project",
    "vendor_id": "company",
    "segment_id": "segment",
    "id": "code_list",
}


def lists() -> dict[str, list[str]]:
    """Addresses of lists with the names of their filters; of several for one list, the shortest."""
    shortest: dict[tuple[str, ...], str] = {}
    for path, operations in sorted(describe()["paths"].items(), key=lambda item: len(item[0])):
        parameters = operations.get("get", {}).get("parameters", [])
        names = [
            parameter["name"]
            for parameter in parameters
            if parameter["name"].startswith("filters[")
        ]
        if names:
            shortest.setdefault((path.rpartition("/")[2], *names), path)
    return {path: list(names) for (_last, *names), path in shortest.items()}


@pytest.mark.parametrize("path", sorted(lists()))
def test_an_odd_value_of_a_filter_is_answered(path, ours, api, project):
    address = path.format(**{name: ours[row] for name, row in VARIABLES.items()})
    sent = {"Authorization": f"Bearer {api.token}", "Procore-Company-Id": api.company}
    for name in lists()[path]:
        for odd, value in ODD.items():
            query = f"{name}={quote_from_bytes(value)}&project_id={project.pk}"
            answer = api.client.get(f"{address}?{query}", headers=sent)
            assert answer.status_code in (200, 400), f"{name} of {odd}: {answer.status_code}"


def test_an_empty_list_of_values_finds_nothing(api, project):
    assert api.get("projects?filters[synced]=[]").json() == []
    assert len(api.get("projects?filters[synced]=").json()) == 1
