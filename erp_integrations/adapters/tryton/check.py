"""Connection test of Tryton; the problems are in the order in which they can be fixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erp_integrations.adapters.base import AdapterError, ErrorClass, Health
from erp_integrations.adapters.tryton.accounts import MODEL, Accounts
from erp_integrations.adapters.tryton.options import Options
from erp_integrations.adapters.tryton.refusals import KEY_REFUSED
from erp_integrations.adapters.tryton.rest import Rest

NEEDED = {
    "party.party": "party",
    "country.country": "country",
    MODEL: "analytic_account",
}
# Models on which the key's user needs read, create and write permission.
WRITTEN = ("party.party", MODEL)
HOW_TO_FIX = {
    "party.party": "Have Tryton's administrator allow it to the groups of the key's user.",
    MODEL: "Have Tryton's administrator give the key's user the groups Accounting and Analytic "
    "Administration.",
}


def check(rest: Rest, options: Options) -> Health:
    """Run the test; never raises."""
    try:
        # First, because without the modules the calls below fail for reasons that say less.
        missing = list(_missing_modules(rest))
        if missing:
            return Health(tuple(missing))
        problems = [*_wrong_company(rest, options), *_missing_rights(rest)]
        facts = {"Company": _company_name(rest, options)} if not problems else {}
        try:
            root = Accounts(rest, options).root()
        except AdapterError as problem:
            # With other problems the root cannot be read either; that would be a second message
            # about one cause.
            if not problems:
                problems.append(
                    f"{problem} Make one in Tryton, of type Root and open, or correct the code."
                )
        else:
            facts["Root of the cost codes"] = f"{options.root} (ID {root})"
        return Health(tuple(problems), facts)
    except AdapterError as problem:
        return Health((_explained(problem),))


def _explained(problem: AdapterError) -> str:
    if problem.error.cls is ErrorClass.AUTH_EXPIRED:
        return f"{KEY_REFUSED} {problem.error.advice}"
    if problem.error.erp_code == "404":
        return "The server answers but knows no such database. Correct the address."
    if problem.error.cls is ErrorClass.TRANSIENT:
        return f"{problem} Check that Tryton runs and the address is right, then test again."
    return f"{problem} {problem.error.advice}".strip()


def _missing_modules(rest: Rest) -> Iterator[str]:
    rows = rest.search("ir.model", [["name", "in", list(NEEDED)]], ["name"])
    models = {row["name"] for row in rows}
    for model_name, module in NEEDED.items():
        if model_name not in models:
            yield f"Tryton's module {module} is not activated. Activate it in Tryton."


def _wrong_company(rest: Rest, options: Options) -> Iterator[str]:
    rows = rest.search("company.company", [], ["party.name"])
    names = {row["id"]: row["party"]["name"] for row in rows if row["party"]}
    if options.company not in names:
        companies = ", ".join(f"{number} ({name})" for number, name in names.items())
        yield f"Tryton has no company number {options.company}. There is: {companies}."
        return
    current = rest.ask("res.user", "get_preferences", {"context_only": True}).get("company")
    # The current company is only the default of a user who belongs to several.
    if current != options.company and not _can_read_accounts(rest, options.company):
        yield (
            f"The key's user does not work for company {options.company} "
            f"(“{names[options.company]}”). Add the company to the user in Tryton, or correct the "
            "number here."
        )


def _can_read_accounts(rest: Rest, company: int) -> bool:
    """Whether the user can read the company's accounts, i.e. belongs to the company."""
    return bool(rest.search(MODEL, [["company", "=", company]], ["code"], most=1))


def _missing_rights(rest: Rest) -> Sequence[str]:
    models = list(WRITTEN)
    access = rest.ask("ir.model.access", "get_access", {"models": models})
    return [
        f"The key's user may not {' and '.join(lacking)} records of {model}. {HOW_TO_FIX[model]}"
        for model in models
        if (lacking := [right for right in ("read", "create", "write") if not access[model][right]])
    ]


def _company_name(rest: Rest, options: Options) -> str:
    row = rest.read("company.company", str(options.company), ["party.name"])
    return f"{row['party']['name']} (number {options.company})"
