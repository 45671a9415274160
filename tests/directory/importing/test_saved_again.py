"""What an import takes, the form of the record takes as well: every record can be saved again."""

from __future__ import annotations

import random

import pytest
from django.http import QueryDict

from directory.companies import services as company_services
from directory.companies.forms import CompanyForm
from directory.importing import apply
from directory.importing import plan as planning
from directory.importing.columns import proposed
from directory.importing.plan import Choice, Fate, LookAlikes
from directory.models import Company
from erpbridge.access import policy
from erpbridge.files.delimited import read
from tests.generator import file_of

# Values that are right, doubtful and wrong, in every column of text that a file may have.
CELLS = {
    "name": ["Moon & Sons, LLC", "n" * 255, "n" * 256, "Søn\u00a0 Glass", "O’Hara", "=A1", ""],
    "abbreviated name": ["Moon", "x" * 10, "x" * 11],
    "ein": ["52-7654321", "52 7654321", "pending", "4-2103594", "9" * 31, ""],
    "entity type": ["", "EIN", "abn", "VAT"],
    "phone": ["(410) 555-0101", "4.1E+09", "x" * 51, "+1 410 555 0101 ext. 7"],
    "email": ["office@moon.example", "nobody at home", "a@b", ""],
    "website": ["www.moon.example", "https://moon.example/a?b", "javascript:alert(1)", "a b"],
    "address": ["1 Road\nSuite 2", "a" * 255, "a" * 256, ""],
    "city": ["Baltimore", "c" * 100, "c" * 101, "a\x07b", "Stone\u202egnik"],
    "state": ["MD", "Massachusetts", "ON", "WA", "Western Australia", "ZZ", "Oberbayern", "BY", ""],
    "zip": ["21201", "2139", "21201-4730", "6000", "#N/A", ""],
    "country": ["", "US", "Canada", "Australia", "Germany", "The Netherlands", "Atlantis"],
    "license": ["16-346", "10-Jan", "l" * 101],
    "union member": ["yes", "no", "perhaps", ""],
    "trades": ["Glass; Roofing", "t" * 200, "t" * 201, ""],
    "keywords": ["a; b", "k" * 1000, "k" * 1001],
    "classifications": ["", "Small business; 8(a) business", "Purple"],
}
ROWS = 300


def rows() -> list[dict[str, str]]:
    """Mostly right, each with one or two values drawn from the others."""
    chance = random.Random(15)
    drawn = []
    for _ in range(ROWS):
        row = {column: values[0] for column, values in CELLS.items()}
        for column in chance.sample(list(CELLS), k=3):
            row[column] = chance.choice(CELLS[column])
        drawn.append(row)
    return drawn


def posted(form: CompanyForm) -> QueryDict:
    """What a browser sends when nothing is changed."""
    data = QueryDict(mutable=True)
    for name in form.fields:
        value = form[name].value()
        if isinstance(value, list):
            data.setlist(name, value)
        elif value is True:
            data[name] = "on"
        elif value not in (None, False):
            data[name] = str(value)
    return data


@pytest.fixture
def imported(account, ada) -> list[Company]:
    table = read(file_of(*rows()))
    plan = planning.make(table.lines, proposed(table), account=account, project=None)
    choice = Choice(LookAlikes.CREATE)
    fates = plan.fates(choice)
    assert fates[Fate.CREATE] > ROWS / 10
    assert fates[Fate.REFUSE] > ROWS / 10
    apply.import_file(
        plan, choice=choice, account=account, project=None, file_name="firms.csv", by=ada
    )
    return list(Company.objects.filter(account=account))


def test_every_imported_company_can_be_saved_again_as_it_is(imported, account, ada):
    access = policy.load(ada, account)
    for company in imported:
        data = posted(CompanyForm(access=access, company=company))
        form = CompanyForm(data, access=access, company=company)
        assert form.is_valid(), (company.name, form.errors)
        assert company_services.edit(company, values=form.values, seen=1, by=ada).revision == 1
