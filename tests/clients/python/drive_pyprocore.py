"""Drives erpbridge with pyprocore and prints the results as JSON."""

from __future__ import annotations

import json
import os
import sys

from pyprocore import Procore
from pyprocore.auth.oauth import OAuthClient
from pyprocore.core import client as http
from pyprocore.core import exceptions as wrong
from pyprocore.services.contracts import ContractsService
from pyprocore.services.directory import DirectoryService

COMPANY = int(os.environ["PROCORE_COMPANY_ID"])
VENDORS = "/rest/v1.0/vendors"


def refusal(call) -> dict:
    """The error that the client raises: its class and the server's answer."""
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
        "companies": [company.id for company in easy.companies.list()],
        "created": created,
        "pages": [vendor["name"] for vendor in pages],
        "vendors": sorted(vendor.name for vendor in easy.vendors.list(COMPANY)),
        "one": easy.vendors.get(created[0], COMPANY).name,
        "projects": len(easy.projects.list(company_id=COMPANY)),
        "synced": [entity["name"] for entity in synced["entities"]],
        "errors": [error["errors"] for error in synced["errors"]],
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


def writer():
    """Calls with a body, or with a query, and the company's header."""
    client = http.ProcoreClient()
    headers = {"Procore-Company-Id": str(COMPANY)}

    def call(method: str, path: str, body: dict | None = None, **query):
        address = path if path.startswith("/") else f"/rest/v1.0/{path}"
        return client.request(method, address, json=body, params=query, headers=headers)

    return call


def cost_codes() -> dict:
    call = writer()
    lists = call("GET", "standard_cost_code_lists", company_id=COMPANY)
    of = {
        "company_id": COMPANY,
        "standard_cost_code_list_id": next(
            code_list["id"] for code_list in lists if not code_list["is_erp_list"]
        ),
    }

    def create(**code) -> dict:
        return call("POST", "standard_cost_codes", {**of, "standard_cost_code": code})

    top = create(code="16", name="Electrical")
    below = create(code="050", name="Wiring", parent_id=top["id"])
    updates = [
        {"id": below["id"], "name": "Cables"},
        {"code": "17", "name": "Controls"},
        {"id": 999999999, "name": "Nobody"},
    ]
    synced = call("PATCH", "standard_cost_codes/sync", {**of, "updates": updates})
    return {
        "lists": [[code_list["name"], code_list["is_erp_list"]] for code_list in lists],
        "full": below["full_code"],
        "entities": [entity["name"] for entity in synced["entities"]],
        "errors": [error["errors"] for error in synced["errors"]],
        "codes": sorted(code["full_code"] for code in call("GET", "standard_cost_codes", **of)),
    }


def send() -> dict:
    """The first click: a vendor, and the whole ERP list."""
    call = writer()
    vendor = call("POST", VENDORS, {"company_id": COMPANY, "vendor": {"name": "Alder Steel"}})["id"]
    lists = call("GET", "standard_cost_code_lists", company_id=COMPANY)
    erp_list = next(code_list["id"] for code_list in lists if code_list["is_erp_list"])
    code = {"code": "16", "name": "Electrical"}
    of = {"company_id": COMPANY, "standard_cost_code_list_id": erp_list}
    call("POST", "standard_cost_codes", {**of, "standard_cost_code": code})
    mine = f"companies/{COMPANY}"
    sent = call("POST", f"{mine}/vendors/{vendor}/actions/send_to_erp", {})
    many = call("POST", f"{mine}/standard_cost_code_lists/{erp_list}/actions/send_to_erp", {})
    return {"vendor": vendor, "state": sent["erp_status"], "done": many["done"]}


def accept() -> list:
    """The second click, by another person: everything that waits, with the first of each choice."""
    call = writer()
    queue = f"companies/{COMPANY}/erp_queue"
    accepted = []
    for row in call("GET", queue, **{"filters[status]": "ready_to_export"}):
        item = call("GET", f"{queue}/{row['id']}")
        acceptance = {
            field["name"]: field["value"] or next((c["key"] for c in field["choices"] or ()), "")
            for field in item["acceptance_fields"]
        }
        body = {"digest": item["digest"], "acceptance": acceptance}
        done = call("POST", f"{queue}/{row['id']}/actions/accept", body)
        accepted.append([item["item_type"], done["erp_status"]])
    return sorted(accepted)


def state() -> dict:
    call, vendor = writer(), os.environ["VENDOR"]
    status = call("GET", f"companies/{COMPANY}/vendors/{vendor}/erp_status")
    return {"state": status["erp_status"], "vendor": call("GET", f"{VENDORS}/{vendor}")}


def aliases() -> dict:
    """The data that it reads at addresses that Procore does not have."""
    service, directory = ContractsService(), DirectoryService()
    (project,) = Procore().projects.list(company_id=COMPANY)
    return {
        "types": [cost_type.code for cost_type in service.list_cost_types(COMPANY)],
        "codes": len(service.list_cost_codes(COMPANY)),
        "budget": len(service.list_wbs_codes(COMPANY, project.id)),
        "departments": len(directory.list_departments(COMPANY)),
    }


def unauthorized() -> dict:
    """With a wrong secret no token is given."""
    return refusal(lambda: OAuthClient().request_client_credentials_token())


def limited() -> dict:
    """The second call is one too many; the client tries it three times, then raises."""
    client = http.ProcoreClient()
    client.get(VENDORS, params={"company_id": COMPANY})
    return refusal(lambda: client.get(VENDORS, params={"company_id": COMPANY}))


steps = {
    "story": story,
    "aliases": aliases,
    "unauthorized": unauthorized,
    "limited": limited,
    "costCodes": cost_codes,
    "send": send,
    "accept": accept,
    "state": state,
}
json.dump(steps[os.environ["STEP"]](), sys.stdout)
