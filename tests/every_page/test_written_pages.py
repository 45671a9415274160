"""What the forms of all pages write, and for whom, when each of several persons sends them.

The pages are walked as Ada, who is shown everything. A page whose form is new needs a line in
``WRITTEN``, or in ``BESIDE`` where the walk cannot send it as shown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from erpbridge.access.models import Membership, User
from tests.db.transactions import taken_back
from tests.erp_integrations.dying import locking
from tests.every_call.test_refusals import tables
from tests.every_call.test_rights import HOLDERS
from tests.every_call.writes import Scene
from tests.every_page.scenes import account, ada, scene
from tests.every_page.test_every_url import OF_ACCOUNTS
from tests.factories import (
    ApplicationFactory,
    CodeImportFactory,
    CompanyImportFactory,
    ExportFileFactory,
    JobFactory,
    MembershipFactory,
    ProjectMembershipFactory,
)
from tests.forms import Form, Values, shown_in, shown_on

__all__ = ["account", "ada", "scene"]

# Values for fields that a form shows empty.
TYPED = {
    "name": "New",
    "new-code": "77",
    "code": "77",
    "new-description": "New",
    "description": "New",
    "label": "New",
    "email": "new.person@example.com",
    "number": "99",
    "reject-reason": "No W-9.",
    "unlink-reason": "Wrong one.",
    "withdraw-reason": "Too early.",
    "answer-why": "I looked.",
    "starts_with": "Q",
    "value": "SUB",
    "redirect_uris": "https://example.com/back",
    "note": "Please.",
}
# Changes to a form that is shown filled in, or values that come from elsewhere.
CHANGED: dict[str, dict[str, Any]] = {
    "admin_wbs:code_edit": {"description": "Changed"},
    "admin_wbs:cost_type": {"label": "Changed"},
    "admin_wbs:list_settings": {"name": "Changed"},
    "admin_wbs:segment_item": {"edit-description": "Changed"},
    "admin_wbs:sub_job": {"name": "Changed"},
    "erp:accept_many": {"vendor_type": "SUB"},
    "erp:project_accept_many": {"vendor_type": "SUB"},
}
# Forms that the pages of this scene do not show as they would be sent: filled by a script, or shown
# for states of rows that the scene lacks.
BESIDE: dict[str, Callable[[Scene], dict[str, Any]]] = {
    "directory:project_company_place": lambda s: {"company": s.elsewhere.pk},
    "erp:connection_create": lambda s: {"adapter": "simulator", "name": "Other"},
    "erp:item_accept": lambda s: {"digest": s.ready.digest, "vendor_type": "SUB"},
    "erp:project_item_accept": lambda s: {"digest": s.ready.digest, "vendor_type": "SUB"},
}
# Forms that nothing in this scene allows, and the test that covers each; who may open them:
# tests/every_page/test_turned_away.py.
ELSEWHERE = {
    "admin_wbs:cost_type_delete": "tests/admin_wbs/cost_types/test_services.py: defaults",
    "admin_wbs:import": "tests/admin_wbs/importing/test_views.py: takes a file",
    "admin_wbs:import_preview": "tests/admin_wbs/importing/test_views.py",
    "access:person_invitation": "tests/people/test_join.py: takes somebody who has not joined",
    "admin_wbs:list_copy": "tests/admin_wbs/cost_codes/test_copy_list.py",
    "admin_wbs:matrix_tick": "tests/admin_wbs/cost_types/test_services.py: sent by a script",
    "admin_wbs:starter": "tests/admin_wbs/importing/test_views.py: takes an empty list",
    "directory:project_company_reactivate": "directory:account_company_reactivate is sent here",
    "erp:file_confirm": "tests/erp_integrations/export/delivery/test_file.py: by files",
    "erp:item_link": "tests/erp_integrations/workflow/accept/test_manual_resolution.py",
    "erp:item_use": "tests/erp_integrations/workflow/links/test_comparison.py: a told ID",
    "erp:project_item_use": "tests/erp_integrations/workflow/links/test_comparison.py",
    "erp:lead_elsewhere": "tests/erp_integrations/workflow/links/test_connection_identity.py",
    "erp:project_item_link": "tests/erp_integrations/workflow/accept/test_manual_resolution.py",
    "erp:project_reject_many": "erp:reject_many is sent here",
    "admin_wbs:unlink": "tests/admin_wbs/erp/test_unlink.py: takes a linked code",
    "directory:account_company_place": "answers 404: there is no project to place it in",
    "directory:account_import": "tests/directory/importing/test_views.py: takes a file",
    "directory:account_import_preview": "tests/directory/importing/test_views.py",
    "directory:project_import": "tests/directory/importing/test_views.py: takes a file",
    "directory:project_import_confirm": "tests/directory/importing/test_views.py",
    "directory:project_import_preview": "tests/directory/importing/test_views.py",
    "erp:file_link": "tests/erp_integrations/export/delivery/test_file.py: by files",
    "erp:file_make": "tests/erp_integrations/export/delivery/test_file.py: by files",
    "erp:project_export": "tests/erp_integrations/web/test_acceptance_grid.py: no codes",
    "erp:project_fill": "tests/erp_integrations/web/test_acceptance_grid.py: no codes",
    "erp:project_values": "tests/erp_integrations/web/test_acceptance_grid.py: no codes",
    "oauth:person_program_end": "tests/oauth/test_ending.py: takes a program of a person",
    "oauth:person_programs_end": "tests/oauth/test_ending.py: takes a program of a person",
}
# Without Ada, who has all of them. Taken from a run, then compared with
# docs/design/permissions.md, "Who does what", in the
# way that tests/every_call/test_rights.py says.
WRITTEN: list[tuple[set[str], str]] = [
    (
        set(),
        """
        access:person
        admin_wbs:import_confirm
        directory:account_import_confirm
        """,
    ),
    (
        {"D"},
        """
        access:account_settings
        access:person_add
        access:person_projects
        access:project_add
        admin_wbs:refresh_projects confirm=1
        directory:account_companies_bulk action=send
        directory:account_company_edit then=send
        directory:account_company_reactivate
        directory:account_company_send verb=send
        directory:settings
        oauth:application_add
        oauth:application_delete
        oauth:application_revoke
        oauth:application_secret
        oauth:service_add
        """,
    ),
    (
        {"D", "C"},
        """
        directory:account_company_create
        directory:account_company_deactivate confirm=1
        directory:account_company_edit
        """,
    ),
    (
        {"D", "A", "project D", "project A"},
        """
        access:project_settings
        admin_wbs:project_add
        admin_wbs:project_refresh
        admin_wbs:project_remove
        admin_wbs:project_structure action=add
        admin_wbs:project_structure action=add confirm=1
        admin_wbs:project_structure action=down
        admin_wbs:project_structure action=down confirm=1
        admin_wbs:project_structure action=remove
        admin_wbs:project_structure action=up
        admin_wbs:project_structure action=up confirm=1
        admin_wbs:sub_job
        admin_wbs:sub_job_delete confirm=1
        admin_wbs:sub_job_switch
        admin_wbs:sub_jobs
        """,
    ),
    (
        {"D", "A"},
        """
        admin_wbs:code_add
        admin_wbs:code_edit
        admin_wbs:cost_type
        admin_wbs:cost_types
        admin_wbs:list_add
        admin_wbs:list_send verb=send
        admin_wbs:list_settings
        admin_wbs:many action=deactivate
        admin_wbs:many action=delete confirm=1
        admin_wbs:many action=reactivate
        admin_wbs:many action=send
        admin_wbs:refresh act=fetch
        admin_wbs:segment
        admin_wbs:segment_add
        admin_wbs:segment_delete confirm=1
        admin_wbs:segment_item
        admin_wbs:segment_items
        admin_wbs:segment_items_act action=deactivate
        admin_wbs:segment_items_act action=delete confirm=1
        admin_wbs:segment_move
        admin_wbs:segment_switch
        """,
    ),
    (
        {"D", "A", "E", "E with the flag"},
        """
        admin_wbs:list_send verb=retrieve
        admin_wbs:many action=retrieve
        """,
    ),
    (
        {"D", "E", "E with the flag"},
        """
        directory:account_companies_bulk action=retrieve
        directory:account_company_send verb=retrieve
        erp:configure
        erp:connection_act act=test
        erp:connection_create
        erp:item_unlink
        """,
    ),
    (
        {"D", "E", "E with the flag", "approves companies", "approves codes"},
        """
        erp:holdings
        """,
    ),
    (
        {"D", "project D", "project C"},
        """
        directory:project_companies_bulk action=remove confirm=1
        directory:project_company_create
        directory:project_company_deactivate confirm=1
        directory:project_company_edit
        directory:project_company_place
        """,
    ),
    (
        {"D", "project D"},
        """
        directory:project_companies_bulk action=send
        directory:project_company_edit then=send
        directory:project_company_send verb=send
        """,
    ),
    (
        {"D", "E", "E with the flag", "project D"},
        """
        directory:project_companies_bulk action=retrieve
        directory:project_company_send verb=retrieve
        """,
    ),
    (
        {"E with the flag", "approves companies"},
        """
        erp:accept_many confirm=1
        erp:defaults
        erp:item_accept
        erp:item_answer answer=absent
        erp:item_reject
        erp:item_withdraw
        """,
    ),
    (
        {"E with the flag", "approves codes"},
        """
        erp:export
        erp:export confirm=1
        erp:fill
        erp:reject_many
        erp:values
        """,
    ),
    (
        {
            "standard in all",
            "D",
            "A",
            "E",
            "E with the flag",
            "approves companies",
            "approves codes",
        },
        """
        admin_wbs:matrix
        admin_wbs:matrix_column confirm=1
        """,
    ),
    (
        {
            "E with the flag",
            "project E with the flag",
            "approves companies",
            "project approves companies",
        },
        """
        erp:project_accept_many confirm=1
        erp:project_defaults
        erp:project_item_accept
        erp:project_item_answer answer=absent
        erp:project_item_reject
        erp:project_item_withdraw
        """,
    ),
    (
        {"D", "E", "E with the flag", "project D", "project E with the flag"},
        """
        erp:project_item_unlink
        """,
    ),
]
# Fields that select one of several actions of an address.
VERBS = {"action", "act", "verb", "answer", "confirm", "then"}
# The number of rows that a form is tried with.
MOST_ALIKE = 3
# Tables of sessions and visits.
OF_THE_VISIT = ("django_session", "access_user", "axes_")


def places(scene: Scene) -> Iterator[dict[str, Any]]:
    """Rows for the arguments of addresses: in each of the states that decide what is shown."""
    common = {
        "account_id": scene.account.pk,
        "project_id": scene.project.pk,
        "membership_id": scene.member.pk,
        "company_id": scene.vendor.pk,
        "list_id": scene.list.pk,
        "code_id": scene.code.pk,
        "code_import_id": CodeImportFactory.create(list=scene.list, by=scene.ada).pk,
        "segment_id": scene.phase.pk,
        "item_id": scene.item.pk,
        "sub_job_id": scene.sub_job.pk,
        "type_id": scene.cost_type.pk,
        "import_id": CompanyImportFactory.create(account=scene.account, by=scene.ada).pk,
        "request_id": scene.ready.sent_in_id,
        "public_id": scene.ready.public_id,
        "pk": scene.connection.pk,
        "kind": "companies",
        "application_id": ApplicationFactory.create(account=scene.account).pk,
        "job_id": JobFactory.create(account=scene.account, by=scene.ada).public_id,
        "file_id": ExportFileFactory.create(
            connection=scene.connection, made_by=scene.ada
        ).public_id,
    }
    yield common
    yield common | {
        "list_id": scene.erp_list.pk,
        "code_id": scene.unsent.pk,
        "public_id": scene.failed.public_id,
        "company_id": scene.inactive_vendor.pk,
        "project_id": scene.plain.pk,
        "kind": "cost-codes",
    }
    for item in (scene.unknown, scene.queued, scene.synced, scene.ready):
        yield common | {"public_id": item.public_id, "company_id": item.record_id}


Sent = tuple[Form, Values]


def addresses(scene: Scene) -> dict[str, str]:
    """Every address with every kind of row -> its name."""
    names: dict[str, str] = {}
    for values in places(scene):
        for name, arguments in OF_ACCOUNTS:
            if set(arguments) <= set(values):
                kwargs = {argument: values[argument] for argument in arguments}
                names[reverse(name, kwargs=kwargs)] = name
    return names


def forms(scene: Scene, client: Client) -> list[Sent]:
    """Every form of every page, filled in, once for each button, and the forms to confirm it."""
    by_label: dict[str, dict[str, Sent]] = {}
    paths = addresses(scene)
    for path in paths:
        _note(by_label, shown_on(client, path))
    for path, name in paths.items():
        if name in BESIDE:
            _note(by_label, [Form(path, {key: [str(v)] for key, v in BESIDE[name](scene).items()})])
    for form, sent in [pair for alike in by_label.values() for pair in alike.values()]:
        with taken_back():
            _note(by_label, shown_in(client.post(form.action, sent)))
    return [pair for alike in by_label.values() for pair in alike.values()]


def _note(by_label: dict[str, dict[str, Sent]], forms: Iterable[Form]) -> None:
    for form in forms:
        if form.scripted or not form.action.startswith("/accounts/"):
            continue
        for sent in form.pressed():
            typed = {name: [TYPED[name]] for name in sent if not any(sent[name]) and name in TYPED}
            values = sent | typed | CHANGED.get(form.name, {})
            known = by_label.setdefault(label(form, sent), {})
            if len(known) < MOST_ALIKE:
                known.setdefault(form.action, (form, values))


def label(form: Form, sent: Values) -> str:
    """The name of the address, and the action if it has several."""
    verbs = [f"{name}={sent[name][0]}" for name in sorted(VERBS & sent.keys())]
    return " ".join([form.name, *verbs])


def writes(client: Client, form: Form, sent: Values, before: dict[str, Any]) -> list[str]:
    """The tables that a sent form changes; the change is rolled back."""
    wrote = False

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal wrote
        words = sql.split(None, 3)[:3]
        if words[0] in ("INSERT", "UPDATE", "DELETE"):
            table = words[1 if words[0] == "UPDATE" else 2].strip('"')
            wrote = wrote or not table.startswith(OF_THE_VISIT)
        return execute(sql, *rest)

    with taken_back():
        with database.execute_wrapper(note), locking() as locked:
            answer = client.post(form.action, sent)
        assert [lock for lock in locked if not lock.in_order] == [], form.name
        assert answer.status_code < 500, (form.action, sent)
        now = tables() if wrote else before
    return [name for name in now if now[name] != before[name] and not name.startswith(OF_THE_VISIT)]


def person(scene: Scene, name: str) -> User:
    """A person with the rights of a row of ``HOLDERS``."""
    holder = HOLDERS[name]
    member: Membership = MembershipFactory.create(
        account=scene.account, can_push_to_accounting=holder.can_push, **vars(holder.account)
    )
    for project in (scene.project, scene.plain):
        ProjectMembershipFactory.create(membership=member, project=project, **vars(holder.projects))
    holder.give_rights(member)
    return member.user


@pytest.fixture(scope="module", autouse=True)
def _unsaid() -> Iterator[None]:
    """Each refusal would be logged with a traceback."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
        yield


@pytest.fixture(scope="module")
def pages(scene) -> list[Sent]:
    client = Client()
    client.force_login(scene.ada, backend="django.contrib.auth.backends.ModelBackend")
    return forms(scene, client)


def test_the_walk_sends_the_forms_of_every_writing_page(pages, scene, client_of, ada):
    sent = {form.name for form, _ in pages}
    client, beside = client_of(ada), set()
    for path, name in addresses(scene).items():
        with taken_back():
            if name not in sent | beside and client.post(path).status_code != 405:
                beside.add(name)
    written = {line.partition(" ")[0] for line in allowed()}
    assert sent | beside == written | set(ELSEWHERE)
    assert not written & set(ELSEWHERE)


def allowed() -> dict[str, set[str]]:
    """Form -> the persons for whom it writes."""
    return {line.strip(): who for who, lines in WRITTEN for line in lines.strip().splitlines()}


@pytest.mark.parametrize("name", ["Ada", "a stranger", *HOLDERS])
def test_each_form_writes_for_those_who_hold_the_right_and_for_nobody_else(
    pages, scene, client_of, ada, olga, name
):
    user = {"Ada": ada, "a stranger": olga}.get(name) or person(scene, name)
    client, before = client_of(user), tables()
    written: set[str] = set()
    for form, sent in pages:
        what = label(form, sent)
        if what not in written and writes(client, form, sent, before):
            written.add(what)
    assert written == {what for what, who in allowed().items() if name in who | {"Ada"}}


# --- rows of another account in the fields of a form -------------------------------------------

# Fields with numbers that are not ids of rows.
PLAIN = {
    *(
        "seen",
        "upto",
        "list_seen",
        "latency_ms",
        "records_per_call",
        "fault_every",
        "max_in_flight",
        "only_empty",
    ),
    *("directory", "admin", "erp_integrations", "code", "number", "code_tiers", "tiered", "ticked"),
    *("confirm", "on", "active", "all", "column-0", "revision", "new-code", "edit-code"),
    *("account-directory", "account-admin", "account-erp_integrations"),
    *("projects-directory", "projects-admin", "projects-erp_integrations"),
}


WHATEVER_IS_TICKED = {"all", "everything"}


def foreign(form: Form, field: str, other: Scene) -> Any:
    """The id of a row of the other account that a field could refer to."""
    rows: dict[str, Callable[[], Any]] = {
        "ids directory": lambda: other.vendor.pk,
        "ids erp": lambda: other.ready.pk,
        "ids admin_wbs:many": lambda: other.code.pk,
        "ids admin_wbs:project_add": lambda: other.further.pk,
        "ids admin_wbs:project_remove": lambda: other.code.pk,
        "ids admin_wbs:segment_items_act": lambda: other.item.pk,
        "list": lambda: other.list.pk,
        "segment": lambda: other.area.pk,
        "at": lambda: other.code.pk,
        "project": lambda: other.project.pk,
        "projects": lambda: other.project.pk,
        "company": lambda: other.elsewhere.pk,
        "trades": lambda: other.trade.pk,
        **dict.fromkeys(
            ("people", "invoice_contacts", "bid_contacts"), lambda: other.member.user_id
        ),
        "remove": lambda: other.rule.pk,
    }
    keys = [field, f"{field} {form.name}", f"{field} {form.name.partition(':')[0]}"]
    known = [rows[key] for key in keys if key in rows]
    return known[0]() if known else None


def names_a_row(form: Form, field: str, values: list[str]) -> bool:
    offered = [*values, *form.offered.get(field, [])]
    of_a_row = re.search(r"-\d+(-|$)", field)
    numbers = any(offered) and all(re.fullmatch(r"\d*", str(value)) for value in offered)
    return numbers and field not in PLAIN | WHATEVER_IS_TICKED and not of_a_row


def test_no_field_of_a_form_takes_a_row_of_another_account(
    pages, scene, client_of, ada, other_account, olga
):
    other = Scene(other_account, olga)
    other.rule = other.connection.defaults.create(
        entity="vendor", field="vendor_type", starts_with="Q", value="SUB"
    )
    client, before, taken = client_of(ada), tables(), []
    fields = [
        (form, sent, field)
        for form, sent in pages
        for field, values in sent.items()
        if names_a_row(form, field, values if isinstance(values, list) else [values])
    ]
    defaults = [(form, sent, "remove") for form, sent in pages if form.name == "erp:defaults"]
    for form, sent, field in fields + defaults:
        row = foreign(form, field, other)
        if row is None:
            taken.append((form.name, field, "tell this test what it names"))
            continue
        # Without the fields that would change rows of the account itself.
        beside = [name for name in sent if name in WHATEVER_IS_TICKED or name.startswith("value-")]
        given = {name: value for name, value in sent.items() if name not in beside}
        given[field] = [str(row)]
        changed = writes(client, form, given, before)
        # A click on many rows is stored, with none of them carried out.
        if set(changed) - {"erp_integrations_request"}:
            taken.append((form.name, form.action, field, changed))
    assert not taken, "\n".join(map(str, taken))
    assert len({(form.name, field) for form, _, field in fields}) >= 10
