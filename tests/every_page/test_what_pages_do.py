"""What the pages of people, projects and settings show, store and note, in ``pages.txt``.

The rows are those of :mod:`tests.every_call.known`. After an intended change run with
``ERPBRIDGE_PAGES=anew``, and review the diff.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from textwrap import wrap
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from erpbridge.access.levels import Level
from erpbridge.access.models import User
from erpbridge.access.services import people as people_services
from erpbridge.audit.models import Event
from tests.db.transactions import taken_back
from tests.erp_integrations.dying import locking
from tests.every_call.known import ACCOUNT, MEMBER, PROJECT, Known
from tests.every_call.test_shown import WHOLE
from tests.every_call.test_written import differences, locks, rows, unnoticed
from tests.factories import MembershipFactory
from tests.forms import shown_on

KEPT = Path(__file__).with_name("pages.txt")
BASE = f"/accounts/{ACCOUNT}"
SAM, LENA, PAT, ADA = (f"{BASE}/people/{MEMBER + place}/" for place in (2, 3, 1, 0))
NOBODY_YET, ASKED = f"{BASE}/people/{MEMBER + 8}/", f"{BASE}/people/{MEMBER + 9}/"
ROLES = "directory", "admin", "erp_integrations"
LEVELS = dict.fromkeys(ROLES, "1")
# An admin without the approver's privilege, an invited person, and one who is asked to join.
OTHERS = (
    ("bea@example.com", "Bea Second"),
    ("new@example.com", "Nora New"),
    ("olga.two@example.com", "Olga Two"),
)
# Person -> the pages that they open.
SHOWN: dict[str, list[str]] = {
    "ada": [
        f"{BASE}/people/",
        f"{BASE}/people/?show=approvers",
        f"{BASE}/people/?show=inactive",
        f"{BASE}/people/?sort=-name",
        f"{BASE}/people/?sort=email",
        f"{BASE}/people/?sort=-job_title",
        f"{BASE}/people/?q=estimator",
        f"{BASE}/people/add/",
        *(SAM, LENA, ADA, NOBODY_YET, ASKED),
        f"{SAM}projects/",
        f"{SAM}projects/?q=quarry&sort=-number",
        f"{BASE}/admin/",
        f"{BASE}/settings/",
        f"{BASE}/projects/",
        f"{BASE}/projects/?sort=-name",
        f"{BASE}/projects/?q=1042",
        f"{BASE}/projects/add/",
        f"{BASE}/projects/{PROJECT}/settings/",
        "/me/",
    ],
    "pat": [f"{BASE}/people/", f"{BASE}/admin/", f"{BASE}/projects/"],
    "sam": [
        f"{BASE}/people/",
        SAM,
        f"{BASE}/admin/",
        f"{BASE}/projects/",
        f"{BASE}/projects/{PROJECT}/settings/",
        f"{BASE}/projects/{PROJECT + 1}/settings/",
    ],
}
Sent = dict[str, Any]
# Who sends, the address, and the changes to the form as shown.
SENT: list[tuple[str, str, Sent]] = [
    ("ada", f"{BASE}/people/add/", {"email": "Nia@Example.com", "name": "Nia New", **LEVELS}),
    ("ada", f"{BASE}/people/add/", {"email": "olga@example.com", "name": "Olga", "admin": "2"}),
    ("ada", f"{BASE}/people/add/", {"email": "sam@example.com", "name": "Sam"}),
    ("ada", f"{BASE}/people/add/", {"email": "no address", "name": "", "directory": "9"}),
    ("sam", f"{BASE}/people/add/", {"email": "x@example.com", "name": "X"}),
    (
        "ada",
        SAM,
        {"job_title": "Buyer", "admin": "3", "directory": "1", "create_edit_companies": None},
    ),
    ("ada", SAM, {"approver-can_push_to_accounting": "on", "approver-export-vendor": "on"}),
    ("ada", SAM, {}),
    ("ada", SAM, {"job_title": "Buyer", "seen": "0" * 32}),
    ("ada", SAM, {"directory": "7"}),
    ("ada", SAM, {"is_active": None}),
    ("ada", ADA, {"directory": "1"}),
    ("ada", ADA, {"approver-can_push_to_accounting": None}),
    ("bea", SAM, {"job_title": "Buyer"}),
    ("bea", SAM, {"approver-can_push_to_accounting": "on"}),
    ("sam", SAM, {"job_title": "Boss"}),
    ("ada", f"{SAM}invitation/", {}),
    ("ada", f"{NOBODY_YET}invitation/", {}),
    ("ada", f"{ASKED}invitation/", {}),
    (
        "ada",
        f"{SAM}projects/",
        {f"{PROJECT}-admin": "0", f"{PROJECT + 1}-directory": "2"},
    ),
    ("ada", f"{SAM}projects/", {f"{PROJECT + 1}-create_edit_companies": "on"}),
    ("ada", f"{SAM}projects/", {f"{PROJECT}-directory": "9"}),
    ("ada", f"{SAM}projects/", {f"{PROJECT}-directory": "2", "seen": "0" * 32}),
    ("ada", f"{SAM}projects/", {}),
    ("ada", f"{BASE}/settings/", {"name": "Harbor", "senders_may_accept_own": "on"}),
    ("ada", f"{BASE}/settings/", {"time_zone": "America/Chicago"}),
    ("ada", f"{BASE}/settings/", {"name": ""}),
    ("ada", f"{BASE}/settings/", {}),
    ("sam", f"{BASE}/settings/", {"name": "Mine"}),
    ("ada", f"{BASE}/projects/add/", {"name": "Pier 9", "number": "9", "use_with_erp": "on"}),
    ("ada", f"{BASE}/projects/add/", {"name": "Pier 9", "number": "1042"}),
    ("ada", f"{BASE}/projects/add/", {"name": "", "number": ""}),
    ("sam", f"{BASE}/projects/add/", {"name": "Mine"}),
    ("sam", f"{BASE}/projects/{PROJECT}/settings/", {"name": "Pier 7", "is_active": None}),
    ("ada", f"{BASE}/projects/{PROJECT + 1}/settings/", {"number": "1042"}),
    ("ada", f"{BASE}/projects/{PROJECT}/settings/", {}),
    ("pat", f"{BASE}/projects/{PROJECT}/settings/", {"name": "Mine"}),
    ("sam", "/me/", {"time_zone": "America/Denver"}),
    ("sam", "/me/", {"time_zone": "Nowhere"}),
]
MOMENT = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d\d:\d\d [A-Z]+")
# Values that differ in each run.
UNKNOWN = (
    (re.compile(r"/(join|invitation)/[^\s\]]{9,}"), r"/\1/.."),
    (re.compile(r"/people/(?!940000\d/)\d+"), "/people/new"),
    (re.compile(r"/projects/(?!920000[01]/)\d+"), "/projects/new"),
    (MOMENT, "time"),
)


@pytest.fixture
def clients(db: None, client_of, olga) -> dict[str, Client]:
    known = Known()
    User.objects.filter(pk=olga.pk).update(email="olga@example.com")
    for place, (email, name) in enumerate(OTHERS):
        user = User.objects.create_user(email, None if place else "secret", name=name)
        MembershipFactory.create(
            pk=MEMBER + 7 + place,
            user=user,
            account=known.account,
            directory=Level.ADMIN if name.startswith("Bea") else Level.NONE,
            confirmed_at=None if name.startswith("Olga") else known.moments.next(),
            join_nonce="n" * 22 * name.startswith("Olga"),
        )
    Event.objects.create(
        account=known.account,
        at=known.moments.next(),
        entity=people_services.ENTITY,
        subject_id=MEMBER + 8,
        label="Nora New",
        verb=people_services.INVITED,
    )
    users = {
        name: User.objects.get(email=f"{name}@example.com") for name in ("ada", "pat", "sam", "bea")
    }
    return {name: client_of(user) for name, user in users.items()}


def test_each_page_shows_and_does_what_the_file_says(clients):
    lines = [*page_lines(clients), *done(clients)]
    if os.environ.get("ERPBRIDGE_PAGES") == "anew":
        KEPT.write_text("\n".join(lines) + "\n")
    assert lines == KEPT.read_text().splitlines()


def page_lines(clients: dict[str, Client]) -> Iterator[str]:
    for name, paths in SHOWN.items():
        for path in paths:
            answer = clients[name].get(path)
            yield f"GET {path} as {name}: {answer.status_code}"
            yield from folded(text_of(answer) if answer.status_code == 200 else "")


def done(clients: dict[str, Client]) -> Iterator[str]:
    for name, path, changes in SENT:
        with taken_back():
            form = next(
                (
                    candidate
                    for candidate in shown_on(clients["ada"], path)
                    if candidate.action == path
                ),
                None,
            )
            sent: Sent = {**(form.values if form else {}), **changes}
            sent = {key: value for key, value in sent.items() if value is not None}
            yield f"POST {path} as {name}: {changes}"
            before = rows()
            with locking() as locked:
                answer = clients[name].post(
                    path, {key: value for key, value in sent.items() if value is not None}
                )
            yield from folded(f"answers {answer.status_code} {answer.get('Location', '')}")
            for message in get_messages(answer.wsgi_request):
                yield from folded(f"{message.level_tag}: {message}")
            if answer.status_code == 200:
                yield from folded(text_of(answer))
            after = rows()
            assert not unnoticed(before, after), (path, changes)
            changed = list(differences(before, after))
            if changed:
                yield from folded(f"locks {locks(locked)}")
            for line in changed:
                yield from folded(line)
            if answer.status_code == 302:
                # Without the history, in which PostgreSQL has another order of changed fields.
                page = MOMENT.split(text_of(clients[name].get(answer["Location"])))[0]
                yield from folded(f"then {page}")


def folded(line: str) -> list[str]:
    for pattern, word in UNKNOWN:
        line = pattern.sub(word, line)
    return wrap(line, 98, initial_indent="  ", subsequent_indent="      ", **WHOLE)


class Reading(HTMLParser):
    """The cells of tables, the links and the filled-in fields of the main part of a page.

    The text around them is left out, since its wording may change.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inside: Counter[str] = Counter()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("main", "td", "svg"):
            self.inside[tag] += 1
        if self.inside["main"]:
            self.found += filter(None, [READ[tag](given)] if tag in READ else [])

    def handle_endtag(self, tag: str) -> None:
        self.inside[tag] -= self.inside[tag] > 0

    def handle_data(self, data: str) -> None:
        if self.inside["main"] and self.inside["td"] and not self.inside["svg"]:
            self.found += data.split()


def field(given: dict[str, str]) -> str:
    if given.get("type") == "hidden":
        return ""
    value = given.get("value", "")
    if given.get("type") == "checkbox":
        value = "on" if "checked" in given else ""
    return f"[{given.get('name')}={value}{' disabled' * ('disabled' in given)}]"


READ: dict[str, Callable[[dict[str, str]], str]] = {
    "a": lambda given: f"<{given.get('href')}>" + "*" * ("aria-current" in given),
    "input": field,
    "select": lambda given: f"[{given.get('name')}]",
    "option": lambda given: f"={given.get('value')}" * ("selected" in given),
}


def text_of(answer: Any) -> str:
    reading = Reading()
    reading.feed(answer.text)
    errors = [
        f"{name}: {' '.join(map(str, said))}"
        for context in answer.context or ()
        for name, said in (context.get("form").errors.items() if "form" in context else ())
    ]
    return " ".join(reading.found + list(dict.fromkeys(errors)))
