"""Records of every state, and what people, programs and workers do to all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import OperationalError, transaction
from django.db import connections as databases
from django.db.models import Q
from django.utils import timezone

from admin_wbs.cost_codes import services as code_services
from admin_wbs.errors import CodeRefused
from admin_wbs.importing import apply as code_import
from admin_wbs.importing import columns
from admin_wbs.importing import plan as code_plan
from admin_wbs.models import CodeList
from directory.companies import services as company_services
from directory.companies.errors import EditRefused
from directory.importing import apply as company_import
from directory.importing import plan as company_plan
from directory.models import Company, ProjectCompany
from erp_integrations.clock import ago
from erp_integrations.connections import adapter_loading
from erp_integrations.connections import services as connection_services
from erp_integrations.export import engine, lease_recovery
from erp_integrations.models import Attempt, Connection, ErpRecord, Item, Link
from erp_integrations.models.querysets import ItemQuerySet
from erp_integrations.models.record_types import record_type
from erp_integrations.models.states import OPEN, State, on_record
from erp_integrations.sendable import Done, note_edits, retrieve, send
from erp_integrations.workflow.accept import services as accept_services
from erp_integrations.workflow.links import connection_identity
from erp_integrations.workflow.links.connection_identity import Books
from erp_integrations.workflow.links.external_ids import link
from erp_integrations.workflow.links.record_columns import Origin
from erp_integrations.workflow.links.unlink import unlink
from erp_integrations.workflow.payloads import drafts as payload_drafts
from erp_integrations.workflow.payloads.digest import digest
from erp_integrations.workflow.send import dry_run
from erpbridge.access import form_digest
from erpbridge.access.models import Membership
from erpbridge.access.policy import Access
from erpbridge.access.services import people as people_services
from erpbridge.access.services.people import Approver, Person
from erpbridge.db.bulk_update import write_rows
from erpbridge.files.delimited import read
from erpbridge.imports.uploads import Changed
from erpbridge.oauth.models import Token
from erpbridge.refusals import Refused
from tests.admin_wbs import steps as wbs
from tests.erp_integrations import steps

# Record id -> the text that an act says it has stored.
Stored = dict[int, str]
Outcome = Done | Stored | None


UNLINKED = {"origin_id": "", "origin_code": "", "erp_state": "", "drifted": False}


@dataclass
class Scene:
    """Records of one type, of which a third waits for a decision, a third is accepted, and a third
    is linked by IDs that a program named; of some of these an update waits, too.
    """

    entity: ClassVar[str]
    text: ClassVar[str]

    connection: Connection
    sender: Access
    approver: Access
    # Another ERP that the account could use.
    other: Connection
    # A program that acts for a person, and that person.
    api: Any
    person: Membership
    ids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = Connection.objects.filter(pk=self.connection.pk).values().get()
        self.settings.pop("id")

    @property
    def third(self) -> int:
        return len(self.ids) // 30 * 10

    def set_up(self, *, idle: bool = False) -> None:
        """Put the records back into their first states, whatever a round has made of them.

        :param idle: nothing is open, so that the connection can be moved to another ledger.
        """
        for model in (Attempt, Link, Item, ErpRecord):
            model.objects.all().delete()
        self._as_before()
        linked = {pk: Origin(id=f"E{pk}") for pk in self.ids[2 * self.third :]}
        assert link(self.entity, linked, access=self.sender) == {}
        if not idle:
            assert self.send(self.ids[: 2 * self.third]).refused == ()
            items = Item.objects.filter(record_id__in=self.ids[self.third : 2 * self.third])
            assert self.accept(items).refused == ()
            self._rename(self.ids[-10:])
            assert self.send(self.ids[-10:]).refused == ()
        steps.ledger_of(self.connection).path.unlink(missing_ok=True)

    def _as_before(self) -> None:
        before = Connection.objects.filter(pk=self.connection.pk)
        led_elsewhere = before.get().config != self.settings["config"]
        before.update(**self.settings)
        self.connection.refresh_from_db()
        if led_elsewhere:
            assert connection_services.refresh(self.connection, by=self.sender.user)
        self.connection.active_for.model.objects.update(connection=self.connection)
        self._without_new()
        model = record_type(self.entity).model
        model._base_manager.update(**UNLINKED)
        entitled = {"is_active": True, "can_push_to_accounting": True}
        Membership.objects.filter(pk=self.person.pk).update(**entitled)
        Token.objects.update(ended_at=None)

    def _without_new(self) -> None:
        model = record_type(self.entity).model
        model._base_manager.exclude(pk__in=self.ids).delete()

    # --- what people, programs and workers do to all of them ---------------------------------

    def send(self, ids: list[int] | None = None) -> Done:
        return send(self.entity, ids or self.ids, access=self.sender)

    def retrieve(self) -> Done:
        return retrieve(self.entity, self.ids, access=self.sender)

    def accept(self, items: ItemQuerySet | None = None) -> Done:
        waiting = items or Item.objects.filter(state=State.READY).order_by("-pk")
        return self._accept(waiting)

    def _accept(self, items: ItemQuerySet) -> Done:
        raise NotImplementedError

    def reject(self) -> Done:
        waiting = Q(state=State.QUEUED, waits_for__isnull=False)
        items = Item.objects.filter(Q(state=State.READY) | waiting)
        each = {pk: f"Reason {pk % 3}" for pk in items.values_list("pk", flat=True)}
        return accept_services.reject(
            items, entity=self.entity, reason="", reasons=each, access=self.approver
        )

    def unlink(self) -> None:
        account, by = self.connection.account_id, self.sender.user
        unlink(account, self.entity, list(reversed(self.ids)), by=by, why="Wrong")

    def link(self) -> None:
        wanted = {pk: Origin(id=f"N{pk}") for pk in reversed(self.ids)}
        link(self.entity, wanted, access=self.sender)

    def rename(self) -> Stored:
        return self._rename(self.ids)

    def _rename(self, ids: Sequence[int]) -> Stored:
        """In the order in which a file or a sync names them."""
        model = record_type(self.entity).model
        text = f"Called otherwise at {timezone.now():%f}"
        with transaction.atomic():
            rows = list(model._base_manager.filter(pk__in=ids).order_by("-pk"))
            for row in rows:
                setattr(row, self.text, text)
            write_rows(rows, [self.text])
            note_edits(self.entity, self.connection.account_id, ids)
        return dict.fromkeys(ids, text)

    def export(self) -> None:
        engine.drain(self.connection.pk)

    def expire(self) -> None:
        Item.objects.filter(state=State.SENDING).update(lease_until=ago(3_600))
        lease_recovery.expire_leases()

    def import_file(self) -> Stored:
        """A file that names all records, and new ones."""
        raise NotImplementedError

    def sync(self) -> Stored:
        """All records over REST, renamed and called by an ID of the ERP; what was stored."""
        stored: Stored = {}
        for start in range(0, len(self.ids), 1_000):
            rows = [self._row(pk) for pk in reversed(self.ids[start : start + 1_000])]
            answer = self.api.patch(self._sync_path, self._body | {"updates": rows})
            if answer.status_code in (401, 403, 422):
                # The person was dropped, or the list is no longer the ERP's.
                break
            assert answer.status_code == 200, answer.content
            stored |= {row["id"]: row["name"] for row in answer.json()["entities"]}
        return stored

    _sync_path: ClassVar[str]
    _body: ClassVar[dict[str, Any]] = {}

    def _row(self, pk: int) -> dict[str, Any]:
        return {"id": pk, "name": f"Synced {pk}", "origin_id": f"S{pk}"}

    def drop(self) -> None:
        """The person of the program loses a right, then the membership."""
        without = Approver(can_push_to_accounting=False, erp_digest=False, rights={})
        for is_active in (True, False):
            member = Membership.objects.get(pk=self.person.pk)
            person = Person(**form_digest.levels_of(member), is_active=is_active)
            state = form_digest.digest(form_digest.person_state(member))
            people_services.update(
                member.pk, person=person, approver=without, seen=state, by=self.sender
            )

    def reconnect(self) -> None:
        """Whoever looks after the connection pauses, tests and refreshes it, and goes on."""
        connection, by = Connection.objects.get(pk=self.connection.pk), self.sender.user
        connection_services.pause(connection, by=by, reason="The ERP is being updated.")
        connection_services.test(connection, by=by)
        connection_services.refresh(connection, by=by)
        connection_services.activate(connection, by=by)
        connection_services.resume(connection, by=by)

    def activate(self) -> None:
        connection_services.activate(self.connection, by=self.sender.user)

    def lead_elsewhere(self) -> None:
        connection = Connection.objects.get(pk=self.connection.pk)
        try:
            connection_identity.lead_elsewhere(
                connection, config={"ledger": "other"}, books=Books.OTHER, by=self.sender.user
            )
        except ValidationError:
            return

    def switch(self) -> None:
        """The records go through another connection from now on."""
        with suppress(Refused):
            dry_run.use_for(self.other, self.entity, by=self.sender.user)

    def use_anyway(self) -> None:
        named = Link.objects.active().filter(told=True).values("record_id")
        for item in Item.objects.filter(record_id__in=named).exclude(operation="create"):
            erp_id = Link.objects.active().get(record_id=item.record_id).erp_id
            with suppress(Refused):
                accept_services.use_anyway(
                    item, seen=[erp_id], reason="Looked.", access=self.approver
                )

    # --- what must be true afterwards --------------------------------------------------------

    def wrong(self, stored: Sequence[Stored]) -> Iterator[str]:
        """Wrong states that a lost update, or half of a transaction, would leave behind."""
        manifest = adapter_loading.usable_manifest(self.connection, self.entity)
        kind, account_id = record_type(self.entity), self.connection.account_id
        links = {link.record_id: link for link in Link.objects.active()}
        items = {item.record_id: item for item in Item.objects.filter(state__in=OPEN)}
        switched = connection_services.active(account_id, self.entity) != self.connection
        drafts = payload_drafts.drafts(kind, account_id, self.ids, manifest)
        now = {draft.record_id: digest(draft.payload) for draft in drafts}
        for row in kind.model._base_manager.filter(pk__in=self.ids):
            linked, item = links.get(row.pk), items.get(row.pk)
            if row.origin_id != (linked.erp_id if linked else ""):
                yield f"{row}: {row.origin_id!r}, linked to {linked and linked.erp_id!r}"
            if not switched and row.drifted is not (
                linked is not None and linked.synced_digest != now[row.pk]
            ):
                yield f"{row}: drifted is {row.drifted}"
            if item is not None and row.erp_state != on_record(item.state):
                yield f"{row}: shows {row.erp_state}, its item is {item.state}"
            if item is None and row.erp_state in OPEN:
                yield f"{row}: shows {row.erp_state}, and nothing of it is open"
            texts = {texts_by_id[row.pk] for texts_by_id in stored if row.pk in texts_by_id}
            if texts and getattr(row, self.text) not in texts:
                yield f"{row}: none of {texts}"
        yield from self._elsewhere(items)

    def _elsewhere(self, items: dict[int, Item]) -> Iterator[str]:
        """Items that were accepted for the ledger that the connection had before."""
        led = Connection.objects.get(pk=self.connection.pk).config != self.settings["config"]
        if led and items:
            yield f"{len(items)} items are open for other books"


class Codes(Scene):
    """Cost codes, ten to a group."""

    entity, text = "cost_code", "description"
    _sync_path = "standard_cost_codes/sync"

    def make(self, count: int) -> None:
        code_list = CodeList.objects.get(connection_id=self.connection.pk)
        rows = [divmod(number, 10) for number in range(count)]
        paths = [[f"{group:03}", *([str(place)] if place else [])] for group, place in rows]
        new = [(path, f"Code {'-'.join(path)}") for path in paths]
        code_services.add_many(code_list, new, by=self.sender.user)
        self.ids = list(code_list.codes.order_by("pk").values_list("pk", flat=True))
        self._body = {"standard_cost_code_list_id": code_list.pk}

    def _accept(self, items: ItemQuerySet) -> Done:
        return wbs.accept(items, self.approver)

    def import_file(self) -> Stored:
        code_list = CodeList.objects.get(connection_id=self.connection.pk)
        known = code_list.codes.order_by("-sort_path").values_list("full_code", flat=True)
        rows = [f"{code},Imported {code}" for code in known] + ["999,New"]
        table = read("\n".join(["Cost Code,Description", *rows]).encode())
        layout = columns.recognized(table.header)
        plan = code_plan.make(code_list, table.lines, layout, header=table.header, delimiter="-")
        try:
            code_import.import_plan(plan, code_list, file_name="x.csv", by=self.sender.user)
        except (CodeRefused, Changed):
            return {}
        changed = plan.of_state(code_plan.State.CHANGED)
        return {planned.known.pk: planned.row.description for planned in changed if planned.known}


class Companies(Scene):
    """Companies, in a project's Directory from the import on."""

    entity, text = "vendor", "name"
    _sync_path = "vendors/sync"

    def make(self, count: int) -> None:
        account, by = self.connection.account, self.sender.user
        new = [Company(name=f"Firm {number}", city="Easton") for number in range(count)]
        made = company_services.create_many(new, account=account, project=None, by=by)
        self.ids = sorted(company.pk for company in made)

    def _accept(self, items: ItemQuerySet) -> Done:
        return steps.decide(items, self.approver)

    def _without_new(self) -> None:
        ProjectCompany.objects.all().delete()
        super()._without_new()

    def import_file(self) -> Stored:
        """Add the existing companies to the project's Directory."""
        account, project = self.connection.account, self.connection.account.projects.get()
        names = Company.objects.order_by("-pk").values_list("name", flat=True)
        table = read("\n".join(["Company", *names, "New Firm"]).encode())
        plan = company_plan.make(table.lines, {"0": "name"}, account=account, project=project)
        choice = company_plan.Choice(company_plan.LookAlikes.EXACT)
        places: dict[str, Any] = {"account": account, "project": project, "file_name": "x.csv"}
        try:
            company_import.import_file(plan, choice=choice, by=self.sender.user, **places)
        except Changed:
            return {}
        return {}

    def edit_and_send(self) -> Stored:
        """Edit and send one company after the other, as Save and Send on its page does."""
        stored: Stored = {}
        for company in Company.objects.filter(pk__in=self.ids[-20:]).order_by("-pk"):
            values = {"name": f"Edited {company.pk}"}
            try:
                company_services.edit_and_send(
                    company, values=values, seen=company.revision, access=self.sender
                )
            except EditRefused:
                continue
            stored[company.pk] = values["name"]
        return stored


def collide(*acts: Callable[[], Outcome]) -> tuple[list[str], list[Stored]]:
    """What the database said to any of them, and clicks of which a part was refused for it; and
    the texts that they report as stored.
    """
    start = Barrier(len(acts))

    def run(act: Callable[[], Outcome]) -> tuple[str, Stored]:
        try:
            start.wait(10)
            done = act()
            refused = done.refused if isinstance(done, Done) else ()
            if any(problem.rule == "busy" for refusal in refused for problem in refusal.problems):
                return "refused as busy", {}
        except OperationalError as error:
            return str(getattr(error.__cause__, "pgcode", error)), {}
        finally:
            databases.close_all()
        return "", done if isinstance(done, dict) else {}

    with ThreadPoolExecutor(len(acts)) as pool:
        answers = list(pool.map(run, acts))
    return [error for error, _stored in answers if error], [stored for _error, stored in answers]
