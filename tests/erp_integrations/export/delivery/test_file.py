"""An ERP that a person feeds with files: made, imported, confirmed, and settled by the result."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from zeal import zeal_ignore

from directory.models import Company
from erp_integrations.adapters.simulator import SimulatorAdapter
from erp_integrations.adapters.simulator.files import import_into
from erp_integrations.connections import services as connection_services
from erp_integrations.export.delivery import file as file_delivery
from erp_integrations.export.delivery.file import Linked, NotDone
from erp_integrations.models import Connection, ErpRecord, ExportFile, Item, Link
from erp_integrations.models.states import State
from erp_integrations.workflow import standing
from erpbridge.audit.models import Event
from tests.erp_integrations import steps
from tests.factories import CompanyFactory


@pytest.fixture
def connection(connection) -> Connection:
    steps.change_config(connection, delivery="file")
    return connection


@pytest.fixture
def accepted(connection, account, ada, pat, access_of) -> list[Item]:
    """Three companies, one of them named to be taken for a formula."""
    companies = [
        CompanyFactory.create(account=account, name=name)
        for name in ("=HYPERLINK(1)", "Quarry & Sons", "Zoë’s Crane, Inc")
    ]
    items = steps.send_all(companies, access_of(ada))
    assert steps.decide(items, access_of(pat)).done == 3
    return items


@pytest.fixture
def company_of():
    """The company of an item, as it is now."""
    return lambda item: Company.objects.get(pk=item.record_id)


def states() -> list[str]:
    return list(Item.objects.order_by("pk").values_list("state", flat=True))


def imported(connection: Connection, file: ExportFile) -> bytes:
    """What the ERP gives back when somebody imports the file."""
    return import_into(steps.ledger_of(connection), bytes(file.content))


def test_items_wait_until_somebody_makes_a_file(connection, accepted, pat):
    steps.export(connection)
    assert states() == [State.QUEUED] * 3
    assert "next file" in standing.sentence(Item.objects.first())
    file = file_delivery.make(connection, "vendor", by=pat)
    assert (file.count, states()) == (3, [State.SUBMITTED] * 3)
    assert f"in file {file.name} of" in standing.sentence(Item.objects.first())
    with pytest.raises(NotDone, match="Nothing waits"):
        file_delivery.make(connection, "vendor", by=pat)


def test_result_file_settles_what_it_names(connection, accepted, pat):
    file = file_delivery.make(connection, "vendor", by=pat)
    result = imported(connection, file)
    assert file_delivery.confirm(file, "result", by=pat, result=result) == 3
    assert states() == [State.SYNCED] * 3
    names = {
        vendor.values["vendor_name"] for vendor in steps.ledger_of(connection).page("vendor", 0, 9)
    }
    assert names == {"=HYPERLINK(1)", "Quarry & Sons", "Zoë’s Crane, Inc"}
    assert Link.objects.count() == 3


def test_no_cell_is_taken_for_a_formula(connection, accepted, pat):
    file = file_delivery.make(connection, "vendor", by=pat)
    rows = list(csv.reader(io.StringIO(bytes(file.content).decode())))
    assert "'=HYPERLINK(1)" in rows[1]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)


def test_what_the_result_refuses_fails_and_what_it_does_not_name_needs_an_answer(
    connection, accepted, pat
):
    file = file_delivery.make(connection, "vendor", by=pat)
    lines = imported(connection, file).decode().splitlines(keepends=True)
    refused = [str(accepted[1].intent or Item.objects.get(pk=accepted[1].pk).intent)]
    refused += ["refused", "", "", "", "E1002", "Too long", "vendor_name"]
    result = "".join([*lines[:2], ",".join(refused) + "\r\n"]).encode()
    assert file_delivery.confirm(file, "result", by=pat, result=result) == 1
    assert states() == [State.SYNCED, State.FAILED, State.UNCERTAIN]
    steps.export(connection)
    assert states() == [State.SYNCED, State.FAILED, State.NEEDS_ANSWER]


@pytest.mark.parametrize("typed", ["V-4711", "seen before"])
def test_a_person_answers_that_it_is_there_and_the_erp_that_cannot_be_asked_is_not_asked(
    client_of, connection, accepted, company_of, pat, typed
):
    """Link by the typed ID; a record of an earlier refresh can be named by its code too."""
    item = accepted[2]
    Item.objects.filter(pk=item.pk).update(state=State.NEEDS_ANSWER, erp_key="CRANE1")
    if typed == "seen before":
        ErpRecord.objects.create(
            connection=connection, entity="vendor", erp_id="V-4711", erp_code="CRANE1"
        )
        typed = "CRANE1"
    answer = {"answer": "there", "answer-erp_id": typed, "answer-why": "I imported it by hand."}
    url = reverse("erp:item_answer", args=[item.account_id, item.public_id])
    page = client_of(pat).post(url, answer, follow=True)
    assert "is linked." in page.text
    company = company_of(item)
    assert (company.origin_id, company.origin_code) == ("V-4711", "CRANE1")


def listed(connection: Connection, **changed: str) -> bytes:
    """The list of IDs as a person fills it in, looking at the ERP."""
    vendors = steps.ledger_of(connection).page("vendor", 0, 9)
    rows = [(vendor.values["vendor_id"], str(vendor.id), str(vendor.version)) for vendor in vendors]
    lines = [f"{key};{changed.get(key, number)};{version}" for key, number, version in rows]
    return "\r\n".join(["Key;ID;Version", *lines, "ELSEWHERE;4711;1", ""]).encode("utf-8-sig")


def erp_ids(connection: Connection) -> set[str]:
    return {str(vendor.id) for vendor in steps.ledger_of(connection).page("vendor", 0, 9)}


def test_all_imported_is_not_enough_where_the_erp_gives_ids_of_its_own(connection, accepted, pat):
    file = file_delivery.make(connection, "vendor", by=pat)
    with pytest.raises(NotDone, match="an ID of their own"):
        file_delivery.confirm(file, "all", by=pat)
    assert states() == [State.SUBMITTED] * 3
    assert not Link.objects.exists()
    file.refresh_from_db()
    assert file.confirmed_at is None


def test_list_of_ids_links_every_record_to_what_the_erp_calls_it(
    connection, accepted, company_of, ada, pat, access_of
):
    file = file_delivery.make(connection, "vendor", by=pat)
    imported(connection, file)
    assert file_delivery.confirm(file, "ids", by=pat, result=listed(connection)) == 3
    assert states() == [State.SYNCED] * 3
    assert set(Link.objects.values_list("erp_id", flat=True)) == erp_ids(connection)
    # The proof of the right ID: the next update lands in the vendor that it belongs to.
    item = steps.update_item(company_of(accepted[1]), access_of(ada), "Quarry & Daughters")
    steps.decide([item], access_of(pat))
    file = file_delivery.make(connection, "vendor", by=pat)
    assert file_delivery.without_ids(connection, [file]) == set()
    imported(connection, file)
    assert file_delivery.confirm(file, "all", by=pat) == 1
    names = {
        vendor.values["vendor_name"] for vendor in steps.ledger_of(connection).page("vendor", 0, 9)
    }
    assert "Quarry & Daughters" in names
    assert set(Link.objects.values_list("erp_id", flat=True)) == erp_ids(connection)


def test_what_the_list_does_not_name_needs_an_answer(connection, accepted, pat):
    file = file_delivery.make(connection, "vendor", by=pat)
    imported(connection, file)
    key = Item.objects.get(pk=accepted[0].pk).erp_key
    content = listed(connection, **{key: ""})
    assert file_delivery.confirm(file, "ids", by=pat, result=content) == 2
    steps.export(connection)
    assert states() == [State.NEEDS_ANSWER, State.SYNCED, State.SYNCED]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"", "must name the columns key and id"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
        (b"key,id\r\n", "names no ID"),
        (b"key,id\r\nNOBODY,1\r\n", "names nothing that is in"),
        (b"key,id\r\nA,1\r\nB,1\r\n", "the ID 1 more than once"),
        (b"key,id\r\nA,1\r\nA,2\r\n", "the key A more than once"),
        (b"key,id\r\n,1\r\n", "Line 2: the ID 1 has no key"),
        (b"id,key\r\n1\r\n", "Line 2: the ID 1 has no key"),
        (b"key,id\r\nA," + b"x" * 201, "Line 2: id has at most 200 printable"),
        (b'key,id\r\nA,"' + b"x" * 200_000, "cannot be read"),
    ],
)
def test_bad_list_is_refused_and_loses_nothing(connection, accepted, pat, wrong, why):
    file = file_delivery.make(connection, "vendor", by=pat)
    with pytest.raises(NotDone, match=why):
        file_delivery.confirm(file, "ids", by=pat, result=wrong)
    assert states() == [State.SUBMITTED] * 3


def test_id_that_another_record_has_needs_an_answer(
    connection, accepted_item, account, ada, pat, access_of
):
    first = file_delivery.make(connection, "vendor", by=pat)
    imported(connection, first)
    file_delivery.confirm(first, "ids", by=pat, result=b"key,id\nQUARRY01,1\n")
    (item,) = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    steps.decide([item], access_of(pat), vendor_id="OTHER01")
    second = file_delivery.make(connection, "vendor", by=pat)
    file_delivery.confirm(second, "ids", by=pat, result=b"key,id\nOTHER01,1\n")
    item.refresh_from_db()
    assert item.state == State.UNCERTAIN
    assert list(Link.objects.values_list("erp_id", flat=True)) == ["1"]


def link_by_list(client, file: ExportFile, content: bytes | None) -> str:
    """The page after a list of IDs was read for a file that is confirmed."""
    url = reverse("erp:file_link", args=[file.connection.account_id, file.public_id])
    given = {} if content is None else {"result": SimpleUploadedFile("ids.csv", content)}
    return client.post(url, given, follow=True).text


@pytest.fixture
def left_out(connection, accepted, pat) -> tuple[ExportFile, Item]:
    """A confirmed file, and the one of its items that the result did not name."""
    file = file_delivery.make(connection, "vendor", by=pat)
    lines = imported(connection, file).splitlines(keepends=True)
    assert file_delivery.confirm(file, "result", by=pat, result=b"".join(lines[:-1])) == 2
    assert states() == [State.SYNCED, State.SYNCED, State.UNCERTAIN]
    return file, Item.objects.get(pk=accepted[2].pk)


@pytest.mark.parametrize("asked", [False, True], ids=["at once", "when it needs an answer"])
def test_a_list_of_ids_links_what_was_left_out_when_its_file_was_confirmed(
    client_of, connection, left_out, company_of, pat, asked
):
    file, item = left_out
    if asked:
        steps.export(connection)
    client, account = client_of(pat), connection.account_id
    home = reverse("erp:connection", args=[account])
    assert "1 of its records has no ID yet" in client.get(home).text
    answer = client.get(reverse("erp:file_ids", args=[account, file.public_id]))
    head, *lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines == [f"{item.erp_key},,"]
    page = link_by_list(client, file, f"{head}\n{item.erp_key.lower()},V-4711,7\n".encode())
    assert "1 record that had no ID is now linked to its ID." in page
    assert "no ID yet" not in page
    assert states() == [State.SYNCED] * 3
    link = Link.objects.get(record_id=item.record_id)
    assert (link.erp_id, link.erp_code, link.erp_version) == ("V-4711", item.erp_key, "7")
    assert link.linked_by == pat
    # The ERP's record was not compared with what was sent, as when a person types the ID.
    assert company_of(item).drifted
    event = Event.objects.get(verb="answer_there")
    assert (event.actor, event.note) == (pat, f"Named by the list of IDs read for file {file.name}")
    assert "Nothing was linked: the list has no ID for any record" in link_by_list(
        client, file, listed(connection)
    )


def test_the_list_that_confirms_a_file_links_what_an_earlier_file_left_out(
    client_of, connection, left_out, account, ada, pat, access_of
):
    steps.export(connection)
    (item,) = steps.send_all([CompanyFactory.create(account=account)], access_of(ada))
    steps.decide([item], access_of(pat), vendor_id="OTHER01")
    file = file_delivery.make(connection, "vendor", by=pat)
    imported(connection, file)
    confirm = reverse("erp:file_confirm", args=[account.pk, file.public_id])
    upload = SimpleUploadedFile("ids.csv", listed(connection))
    client = client_of(pat)
    with zeal_ignore():  # the file and what is left of earlier ones are settled one after the other
        page = client.post(confirm, {"verdict": "ids", "result": upload}, follow=True).text
    assert "All 1 of" in page
    assert "1 record of earlier files is now linked to its ID." in page
    assert states() == [State.SYNCED] * 4
    assert set(Link.objects.values_list("erp_id", flat=True)) == erp_ids(connection)


def test_a_later_list_that_links_nothing_says_why_and_changes_nothing(
    client_of, connection, left_out, pat
):
    file, item = left_out
    steps.export(connection)
    taken = Link.objects.first().erp_id
    client = client_of(pat)
    for content, why in [
        (None, "Choose the list of IDs that you filled in."),
        (b"key,id\r\n", "The list of IDs cannot be read. It names no ID."),
        (b"key,id\r\nAb1,1\r\naB1,2\r\n", "It names the key aB1 more than once."),
        (b"key,id\r\nNOBODY,1\r\n", "Nothing was linked: the list has no ID for any record"),
        (
            f"key,id\r\n{item.erp_key},{taken}\r\n".encode(),
            f"another record already has the ID of the list: {item.erp_key}.",
        ),
    ]:
        assert why in link_by_list(client, file, content)
        assert states() == [State.SYNCED, State.SYNCED, State.NEEDS_ANSWER]
    assert Link.objects.count() == 2


def test_a_later_list_links_neither_what_goes_out_again_nor_what_was_refused(
    connection, left_out, pat
):
    file, item = left_out
    content = f"key,id\r\n{item.erp_key},V-4711\r\n".encode()
    for state in (State.QUEUED, State.FAILED, State.REJECTED):
        Item.objects.filter(pk=item.pk).update(state=state)
        assert file_delivery.link_unnamed(file, content, by=pat) == Linked(0, ())
        assert states() == [State.SYNCED, State.SYNCED, state]


def test_all_imported_takes_the_key_where_the_erp_has_no_other_id(
    connection, accepted, pat, monkeypatch
):
    plain = SimulatorAdapter.manifest

    def keyed(_cls, config):
        manifest = plain(config)
        entities = {
            name: replace(entity, key_is_id=True) for name, entity in manifest.entities.items()
        }
        return replace(manifest, entities=entities)

    monkeypatch.setattr(SimulatorAdapter, "manifest", classmethod(keyed))
    file = file_delivery.make(connection, "vendor", by=pat)
    assert file_delivery.without_ids(connection, [file]) == set()
    assert file_delivery.confirm(file, "all", by=pat) == 3
    keys = set(Item.objects.values_list("erp_key", flat=True))
    assert set(Link.objects.values_list("erp_id", flat=True)) == keys


def test_list_of_ids_is_downloaded_filled_in_and_read_by_page(connection, accepted, pat, client_of):
    client, account = client_of(pat), connection.account_id
    file = file_delivery.make(connection, "vendor", by=pat)
    Item.objects.filter(pk=accepted[0].pk).update(erp_key="-DASH")
    home = client.get(reverse("erp:connection", args=[account])).text
    assert "Read the IDs" in home
    assert "All imported" not in home
    answer = client.get(reverse("erp:file_ids", args=[account, file.public_id]))
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[:2] == ["key,id,version", "'-DASH,,"]
    assert len(lines) == 4
    confirm = reverse("erp:file_confirm", args=[account, file.public_id])
    assert "Choose the list of IDs" in client.post(confirm, {"verdict": "ids"}, follow=True).text
    filled = "\n".join([lines[0], *(f"{line[:-1]}{n}" for n, line in enumerate(lines[1:]))])
    upload = SimpleUploadedFile("ids.csv", filled.encode())
    page = client.post(confirm, {"verdict": "ids", "result": upload}, follow=True)
    assert "All 3 of" in page.text
    assert "By a list of IDs" in page.text
    assert set(Link.objects.values_list("erp_id", flat=True)) == {"0", "1", "2"}


def test_nothing_imported_puts_the_same_commands_into_the_next_file(connection, accepted, pat):
    intents = list(Item.objects.order_by("pk").values_list("intent", flat=True))
    first = file_delivery.make(connection, "vendor", by=pat)
    assert file_delivery.confirm(first, "none", by=pat) == 0
    assert states() == [State.QUEUED] * 3
    second = file_delivery.make(connection, "vendor", by=pat)
    assert bytes(second.content) == bytes(first.content)
    assert list(Item.objects.order_by("pk").values_list("intent", flat=True)) == intents
    # Both files are imported after all: the ERP knows its requests again.
    imported(connection, first)
    file_delivery.confirm(second, "result", by=pat, result=imported(connection, second))
    assert states() == [State.SYNCED] * 3
    assert steps.ledger_of(connection).count() == 3
    events = Event.objects.filter(verb__in=["file_made", "file_confirmed"])
    assert [(event.verb, event.actor) for event in events.order_by("pk")] == [
        ("file_made", pat),
        ("file_confirmed", pat),
    ] * 2


def test_file_is_confirmed_once_and_only_by_a_result_of_its_own(connection, accepted, pat):
    file = file_delivery.make(connection, "vendor", by=pat)
    other = b"request,result,id,version,key,code,message,column\r\nx,done,1,1,X,,,\r\n"
    for wrong, why in ((other, "names nothing"), (b"<html>", "not a result"), (b"\xff", "not a")):
        with pytest.raises(NotDone, match=why):
            file_delivery.confirm(file, "result", by=pat, result=wrong)
    assert states() == [State.SUBMITTED] * 3
    file_delivery.confirm(file, "result", by=pat, result=imported(connection, file))
    with pytest.raises(NotDone, match="already"):
        file_delivery.confirm(file, "none", by=pat)
    assert states() == [State.SYNCED] * 3


def test_update_is_imported_into_the_vendor_it_belongs_to(
    connection, accepted_item, company, ada, pat, access_of
):
    file = file_delivery.make(connection, "vendor", by=pat)
    file_delivery.confirm(file, "result", by=pat, result=imported(connection, file))
    company.refresh_from_db()
    item = steps.update_item(company, access_of(ada), "+ Daughters")
    steps.decide([item], access_of(pat))
    file = file_delivery.make(connection, "vendor", by=pat)
    file_delivery.confirm(file, "result", by=pat, result=imported(connection, file))
    assert steps.ledger_of(connection).vendor("QUARRY01").values["vendor_name"] == "+ Daughters"
    assert states() == [State.SYNCED] * 2


def test_paused_connection_makes_no_file(connection, accepted, pat, ada):

    connection_services.pause(connection, by=ada, reason="Year end")
    with pytest.raises(NotDone, match="paused"):
        file_delivery.make(connection, "vendor", by=pat)


def test_an_approver_makes_downloads_and_confirms_a_file_by_page(
    connection, accepted, pat, client_of
):
    client, account = client_of(pat), connection.account_id
    home = reverse("erp:connection", args=[account])
    assert "Make file of 3 items" in client.get(home).text
    client.post(reverse("erp:file_make", args=[account, connection.pk, "companies"]))
    file = ExportFile.objects.get()
    page = client.get(home).text
    assert file.name in page
    assert "To be imported and confirmed" in page
    download = client.get(reverse("erp:file_download", args=[account, file.public_id]))
    assert download.content == bytes(file.content)
    assert file.name in download.headers["Content-Disposition"]
    confirm = reverse("erp:file_confirm", args=[account, file.public_id])
    answer = client.post(confirm, {"verdict": "result"}, follow=True)
    assert "Choose the result file" in answer.text
    result = SimpleUploadedFile("result.csv", imported(connection, file))
    answer = client.post(confirm, {"verdict": "result", "result": result}, follow=True)
    assert "All 3 of" in answer.text
    assert states() == [State.SYNCED] * 3
    item = client.get(reverse("erp:item", args=[account, accepted[0].public_id]))
    assert item.status_code == 200


def test_who_may_not_accept_does_not_get_at_a_file(connection, accepted, pat, sam, client_of):
    file = file_delivery.make(connection, "vendor", by=pat)
    account, client = connection.account_id, client_of(sam)
    for name in ("file_download", "file_confirm", "file_link"):
        address = reverse(f"erp:{name}", args=[account, file.public_id])
        assert client.post(address).status_code in (403, 404, 405)
        assert client.get(address).status_code in (403, 404, 405)
    assert states() == [State.SUBMITTED] * 3
