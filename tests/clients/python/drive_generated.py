"""Generates a client from the description, as any program can, makes calls, and prints JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BASE, COMPANY = os.environ["BASE_URL"], int(os.environ["COMPANY_ID"])
COMMAND = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
made = subprocess.run(
    [*COMMAND, "--url", f"{BASE}/rest/openapi.json", "--output-path", "generated"],
    capture_output=True,
    text=True,
    check=True,
)
sys.path.insert(0, str(Path.cwd()))

from generated import AuthenticatedClient, Client  # noqa: E402
from generated.api.o_auth import token  # noqa: E402
from generated.api.vendors import create_vendors, list_vendors, show_vendors  # noqa: E402
from generated.models import (  # noqa: E402
    CreateVendorsBody,
    CreateVendorsBodyVendor,
    Error,
    TokenBody,
    TokenBodyGrantType,
    Vendor,
)

asked = TokenBody(
    grant_type=TokenBodyGrantType.CLIENT_CREDENTIALS,
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
)
given = token.sync(client=Client(BASE), body=asked)
client = AuthenticatedClient(BASE, given.access_token)


def create(**fields) -> Vendor | Error:
    body = CreateVendorsBody(CreateVendorsBodyVendor(**fields))
    return create_vendors.sync(client=client, body=body, procore_company_id=COMPANY)


vendor = create(name="Alder Steel", city="Salem")
refused = create(name="")
(listed,) = list_vendors.sync(client=client, procore_company_id=COMPANY, filterssearch="alder")
missing = show_vendors.sync(999_999_999, client=client, procore_company_id=COMPANY)
result = {
    "skipped": "Unable" in made.stdout + made.stderr,
    "seconds": given.expires_in,
    "types": [type(answer).__name__ for answer in (vendor, refused, listed, missing)],
    "city": listed.city,
    "same": listed.id == vendor.id,
    "errors": refused.errors.to_dict(),
    "code": missing.code,
}
json.dump(result, sys.stdout)
