"""Drives erpbridge with the package procore, which refreshes a token and lists, and prints JSON.

The package never sends ``Procore-Company-Id`` and cannot write; all its calls are used here.
"""

from __future__ import annotations

import json
import os
import sys

import procore

BASE, STEP = os.environ["BASE_URL"], os.environ["STEP"]


def connect(secret: str) -> procore.Procore:
    return procore.Procore(
        BASE,
        f"{BASE}/rest/v1.0",
        os.environ["CLIENT_ID"],
        secret,
        os.environ["REFRESH_TOKEN"],
    )


def refusal(call) -> dict:
    try:
        call()
    except procore.ProcoreError as error:
        return {"class": type(error).__name__, "body": json.loads(error.response)}
    return {"class": "", "body": None}


def story() -> dict:
    client = connect(os.environ["CLIENT_SECRET"])
    company = os.environ["COMPANY_ID"]
    result = {
        "companies": [entry["id"] for entry in client.companies.get()],
        "projects": [project["name"] for project in client.projects.get(company)],
        "missing": refusal(lambda: client.projects.get("999999999")),
        "malformed": refusal(lambda: client.projects.get("x")),
    }
    client.projects.change_access_token("wrong")
    return result | {"unauthorized": refusal(lambda: client.projects.get(company))}


def limited() -> dict:
    client = connect(os.environ["CLIENT_SECRET"])
    calls = [refusal(lambda: client.projects.get(os.environ["COMPANY_ID"])) for _ in range(3)]
    return calls[-1]


steps = {
    "story": story,
    "limited": limited,
    "wrong_secret": lambda: refusal(lambda: connect("wrong")),
}
json.dump(steps[STEP](), sys.stdout)
