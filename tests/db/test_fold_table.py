"""One rule for all text: two strings that are equal in one comparison are equal in all.

Each row is a text as it is stored, another spelling, and whether that spelling is the same text or
only matches in a search.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from admin_wbs.cost_codes import services as code_services
from admin_wbs.importing import uploads
from admin_wbs.importing.plan import State
from admin_wbs.models import CodeList, CostCode
from directory.companies import services as company_services
from directory.models import Company
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.models import ErpRecord
from erp_integrations.workflow.payloads import erp_keys
from erpbridge.access.policy import load
from erpbridge.db.text import fold, key
from tests.factories import CodeListFactory, ConnectionFactory

SAME, FOUND = True, False
TABLE = [
    # Case, of more than ASCII.
    ("Elec", "ELEC", SAME),
    ("ÉLEC", "élec", SAME),
    ("İNŞ", "inş", SAME),
    ("İNŞ yapı", "inş YAPI", SAME),
    ("ISI", "ısı", SAME),
    ("Straße", "STRASSE", SAME),
    ("Gro\u1e9e", "gross", SAME),
    ("ΣΊΣΥΦΟΣ", "σίσυφος", SAME),
    ("ЁЛКА", "ёлка", SAME),
    ("ŁÓDŹ", "łódź", SAME),
    ("ØRE", "øre", SAME),
    ("Ǆ", "ǆ", SAME),
    ("ԱՐԵՒ", "արեւ", SAME),
    ("\u212angstrom", "kngstrom", SAME),
    # One letter, composed in two ways: as a Mac stores it, and as others do.
    ("Électricité", "E\u0301lectricite\u0301", SAME),
    ("Muñoz", "Mun\u0303oz", SAME),
    ("Ångström", "A\u030angstro\u0308m", SAME),
    ("\u212bland", "åland", SAME),
    ("Việt Nam", "Vie\u0323\u0302t Nam", SAME),
    ("가나", "\u1100\u1161\u1102\u1161", SAME),
    ("パイプ", "ハ\u309aイフ\u309a", SAME),
    # Compatible forms.
    ("ＡＢＣ１２", "abc12", SAME),
    ("ﬁreproofing", "fireproofing", SAME),
    ("m²", "M2", SAME),
    ("½ pipe", "1/2 PIPE", SAME),
    ("№ 7", "no 7", SAME),
    ("ﾊﾟﾈﾙ", "パネル", SAME),
    ("Ⅳ Phase", "iv phase", SAME),
    ("Brand™", "brandtm", SAME),
    # Apostrophes, quotes and dashes.
    ("O’Malleran", "o'malleran", SAME),
    ("D\u02bcArc", "d`arc", SAME),
    ("L\u2018Ann", "l\u2032ann", SAME),
    ("Kea\u02bbau", "kea'AU", SAME),
    ("6\u2033 pipe", '6" Pipe', SAME),
    ("\u201cBig\u201d Dig", '"big" dig', SAME),
    ("MEP\u2013100", "mep-100", SAME),
    ("MEP\u2014200", "MEP\u2212200", SAME),
    ("MEP\u2011300", "mep\u2010300", SAME),
    ("MEP\uff0d400", "mep-400", SAME),
    # White space.
    ("Site  work", "site work", SAME),
    ("Roof\u00a0deck", "roof deck", SAME),
    ("Roof\u2009tile", "roof\ttile", SAME),
    ("Roof\u3000drain", "roof drain", SAME),
    ("Wall\u202ftie", "wall\ntie", SAME),
    # Invisible characters.
    ("Con\u00adcrete", "concrete", SAME),
    ("Ma\u200bsonry", "masonry", SAME),
    ("\ufeffSteel", "steel", SAME),
    ("Wood\u200e", "wood", SAME),
    ("Pla\u2060stic", "plastic", SAME),
    ("Ther\u200dmal", "ther\u200cmal", SAME),
    ("Do\ufe0fors", "doors", SAME),
    # Matches in a search, but is another text.
    ("Béton", "beton", FOUND),
    ("Électricité II", "electricite ii", FOUND),
    ("Ñandú", "nandu", FOUND),
    ("Smørrebrød", "smorrebrod", FOUND),
    ("Łęczna", "leczna", FOUND),
    ("Œuvre", "oeuvre", FOUND),
    ("Çelik", "celik", FOUND),
    ("O’Hara", "ohara", FOUND),
    ("Žďár", "zdar", FOUND),
    ("Phở", "pho", FOUND),
]
# A number makes the rows differ from each other.
ROWS = [(f"{text} {n}", f"{other} {n}", same) for n, (text, other, same) in enumerate(TABLE, 101)]
ALIKE = [(text, other) for text, other, same in ROWS if same]
UNLIKE = [(text, other) for text, other, same in ROWS if not same]


def file_of(texts: list[str]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("Code", "Description"), *((text, "Work") for text in texts)])
    return out.getvalue().encode()


@pytest.fixture
def code_list(account) -> CodeList:
    return CodeListFactory.create(account=account)


@pytest.fixture
def listed(code_list, ada) -> dict[str, CostCode]:
    """A code of the first tier for each text."""
    made = code_services.add_many(code_list, [([text], "Work") for text, _, _ in ROWS], by=ada)
    return {cost_code.full_code: cost_code for cost_code in made}


@pytest.fixture
def firms(account, ada) -> dict[str, Company]:
    """A company for each text."""
    new = [Company(name=text) for text, _, _ in ROWS]
    made = company_services.create_many(new, account=account, project=None, by=ada)
    return {company.name: company for company in made}


def test_the_table_has_sixty_strings():
    assert len({text for text, _, _ in TABLE}) >= 60


def test_the_rule_itself_tells_them_alike_or_apart():
    assert [row for row in ALIKE if key(row[0]) != key(row[1])] == []
    assert [row for row in UNLIKE if key(row[0]) == key(row[1])] == []
    assert [text for row in ROWS for text in row[:2] if fold(fold(text)) != fold(text)] == []


def test_a_search_finds_every_spelling(firms):
    missed = [
        (text, other)
        for text, other, _ in ROWS
        if firms[text] not in Company.objects.all().search(other)
    ]
    assert missed == []


def test_a_search_for_what_is_stored_finds_every_spelling(account, ada):
    new = [Company(name=other) for _, other, same in ROWS if same]
    made = company_services.create_many(new, account=account, project=None, by=ada)
    missed = [
        (text, other)
        for (text, other), firm in zip(ALIKE, made, strict=True)
        if firm not in Company.objects.all().search(text)
    ]
    assert missed == []


def test_a_code_is_taken_in_every_spelling_and_in_no_other(listed, code_list):
    taken = code_list.codes.filter(code_key__in=[key(other) for _, other in ALIKE])
    assert {cost_code.full_code for cost_code in taken} == {text for text, _ in ALIKE}
    assert not code_list.codes.filter(code_key__in=[key(other) for _, other in UNLIKE]).exists()


def test_a_code_lands_under_its_parent_in_every_spelling(listed, code_list, ada):
    made = code_services.add_many(code_list, [([other, "1"], "Part") for _, other in ALIKE], by=ada)
    wrong = [
        (text, other)
        for (text, other), child in zip(ALIKE, made, strict=True)
        if child.parent_id != listed[text].pk
    ]
    assert wrong == []


def test_a_company_looks_like_itself_in_every_spelling(firms):
    missed = [row for row in ALIKE if firms[row[0]] not in Company.objects.look_alikes(row[1])]
    assert missed == []


@pytest.mark.parametrize("case_sensitive", [False, True], ids=["any case", "to the letter"])
def test_an_erp_key_is_the_same_by_the_one_rule_of_its_manifest(account, case_sensitive):
    vendor = SimulatorAdapter.manifest({}).entities["vendor"]
    manifest = replace(vendor, key_case_sensitive=case_sensitive)
    connection = ConnectionFactory.create(account=account)
    ErpRecord.objects.bulk_create(
        ErpRecord(connection=connection, entity="vendor", erp_id=str(n), erp_code=text)
        for n, (text, _, _) in enumerate(ROWS)
    )
    differing = []
    for text, other, _ in ROWS:
        here = erp_keys.compared(manifest, text) == erp_keys.compared(manifest, other)
        wanted = [erp_keys.compared(manifest, other)]
        holders = erp_keys.holding(ErpRecord.objects.all(), manifest, "erp_code", wanted)
        there = text in holders.values_list("erp_code", flat=True)
        if here != there or here != ((text, other) in ALIKE and not case_sensitive):
            differing.append((text, other, here, there))
    assert differing == []


def test_an_import_matches_every_spelling_and_no_other(listed, code_list, account, ada):
    access = load(ada, account)
    assert access is not None
    content = file_of([other for _, other, _ in ROWS])
    upload = uploads.start(content, code_list=code_list, file_name="codes.csv", access=access)
    upload.delimiter = ""
    rows = uploads.plan_of(upload).rows
    wrong = [
        (row.row.path, row.state, row.reason)
        for row, (_, _, same) in zip(rows, ROWS, strict=True)
        if row.state != (State.UNCHANGED if same else State.NEW)
    ]
    assert wrong == []
