"""Fills an empty Tryton database; runs in Tryton's own virtual environment, never in ours.

``python tests/tryton_setup.py CONF DATABASE < countries.json``: a company, the countries given, a
root of cost codes, a user for erpbridge with a validated key, and one for each thing that can be
missing. Prints what the tests need to know, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from proteus import Model, Wizard, config

PARTIES = {"Party Administration"}
ANALYTIC = {"Accounting", "Accounting Administration", "Analytic Administration"}


def add_countries(countries: list[dict[str, Any]]) -> None:
    country_model, subdivision_model = (
        Model.get("country.country"),
        Model.get("country.subdivision"),
    )
    for given in countries:
        country = country_model(
            name=given["name"], code=given["code"], code3=given["code3"], code_numeric=given["no"]
        )
        country.save()
        subdivision_model.save(
            [
                subdivision_model(country=country, **subdivision)
                for subdivision in given["subdivisions"]
            ]
        )


def add_company(name: str, currency: Any) -> Any:
    party = Model.get("party.party")(name=name)
    party.save()
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party = party
    wizard.form.currency = currency
    wizard.execute("add")
    return Model.get("company.company").find([("party", "=", party.id)])[0]


def add_user(login: str, company: Any, groups: set[str]) -> str:
    """:returns: the user's key, validated."""
    user = Model.get("res.user")(name=login, login=login)
    company = Model.get("company.company")(company.id)
    user.companies.append(company)
    user.company = company
    user.groups.extend(group for group in Model.get("res.group").find([]) if group.name in groups)
    user.save()
    application = Model.get("res.user.application")(application="rest", user=user)
    application.save()
    return application.key


def add_root(company: Any, settings: Any) -> int:
    with settings.set_context(company=company.id):
        root = Model.get("analytic_account.account")(
            name="Standard Cost Codes", code="COSTCODES", type="root", state="opened"
        )
        root.company = company
        root.save()
    return root.id


def main() -> None:
    settings = config.set_trytond(database=sys.argv[2], user="admin", config_file=sys.argv[1])
    add_countries(json.load(sys.stdin))
    currency = Model.get("currency.currency")(
        name="US Dollar", code="USD", numeric_code="840", symbol="$"
    )
    currency.save()
    for name in ("Subcontractor", "Supplier"):
        Model.get("party.category")(name=name).save()
    company = add_company("Tryton Trial Builders", currency)
    other = add_company("Another Company", currency)
    facts = {
        "company": company.id,
        "other_company": other.id,
        "root": add_root(company, settings),
        "key": add_user("erpbridge", company, PARTIES | ANALYTIC),
        "key_without_parties": add_user("no-parties", company, ANALYTIC),
        "key_without_analytic": add_user("no-analytic", company, PARTIES),
    }
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main()
