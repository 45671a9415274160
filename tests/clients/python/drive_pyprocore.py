"""Drives erpbridge with pyprocore and prints what came of it as JSON."""

from __future__ import annotations

import json
import os
import sys

from pyprocore import Procore
from pyprocore.auth.oauth import OAuthClient
from pyprocore.core import client as http
from pyprocore.core import exceptions as wrong

COMPANY = int(os.environ["PROCORE_COMPANY_ID"])
VENDORS = "/rest/v1.0/vendors"


def refusal(call) -> dict:
    """What the client raises, as its class and the server's words."""
    try:
        call()
    except wrong.ProcoreError as error:
        body = getattr(error, "response_body", None)
        return {
            "class": type(error).__name__,
            "status": getattr(error, "status_code", 401),
            "body": body,
        }
    return {"class": "", "status": 0, "body": None}


def story() -> dict:
    easy, client = Procore(), http.ProcoreClient()
    headers = {"Procore-Company-Id": str(COMPANY)}

    def write(method: str, path: str, body: dict):
        return client.request(method, path, json=body, headers=headers)

    created = [
        write("POST", VENDORS, {"company_id": COMPANY, "vendor": {"name": name}})["id"]
        for name in ("Alder Steel", "Birch Glass", "Cedar Roofing")
    ]
    pages = client.get_all(VENDORS, params={"company_id": COMPANY, "per_page": 2}, headers=headers)
    synced = write(
        "PATCH",
        f"{VENDORS}/sync",
        {
            "company_id": COMPANY,
            "updates": [{"id": created[0], "name": "Alder Steel Ltd."}, {"id": 999999999}],
        },
    )
    missing = f"{VENDORS}/999999999"
    return {
        "companies": [one.id for one in easy.companies.list()],
        "created": created,
        "pages": [one["name"] for one in pages],
        "vendors": sorted(one.name for one in easy.vendors.list(COMPANY)),
        "one": easy.vendors.get(created[0], COMPANY).name,
        "projects": len(easy.projects.list(company_id=COMPANY)),
        "synced": [one["name"] for one in synced["entities"]],
        "errors": [one["errors"] for one in synced["errors"]],
        "missing": refusal(lambda: client.get(missing, headers=headers)),
        "invalid": refusal(lambda: write("POST", VENDORS, {"company_id": COMPANY, "vendor": {}})),
        "click": refusal(
            lambda: write(
                "POST",
                f"/rest/v1.0/companies/{COMPANY}/vendors/{created[0]}/actions/send_to_erp",
                {},
            )
        ),
    }


def unauthorized() -> dict:
    """With a wrong secret no token is given."""
    return refusal(lambda: OAuthClient().request_client_credentials_token())


def limited() -> dict:
    """The second call is one too many; the client tries it three times, then raises."""
    client = http.ProcoreClient()
    client.get(VENDORS, params={"company_id": COMPANY})
    return refusal(lambda: client.get(VENDORS, params={"company_id": COMPANY}))


steps = {"story": story, "unauthorized": unauthorized, "limited": limited}
json.dump(steps[os.environ["STEP"]](), sys.stdout)
