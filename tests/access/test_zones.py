"""Times carry their zone; account and person choose it, and programs get UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings as project
from django.core.exceptions import ValidationError
from django.urls import reverse

from erpbridge.access import zones
from erpbridge.access.models import Account, User
from erpbridge.audit.models import Event
from erpbridge.ui.times import format_time
from tests.rest.fixtures import EVERYTHING, Service, service_of

CHICAGO, BERLIN = "America/Chicago", "Europe/Berlin"


@pytest.fixture
def settings_page(client_of, ada, account):
    """The settings of the account as Ada sees them, with a change in their history."""
    url = reverse("access:account_settings", args=[account.pk])
    client_of(ada).post(url, {"name": "Harbor Builders"})

    def page() -> str:
        return client_of(ada).get(url).text

    return page


def test_times_are_shown_in_the_zone_of_the_person_else_of_the_account_else_of_the_installation(
    settings_page, client_of, ada, account
):
    at = Event.objects.get(verb="changed").at
    for account_zone, own_zone, expected in (
        ("", "", "UTC"),
        (CHICAGO, "", CHICAGO),
        (CHICAGO, BERLIN, BERLIN),
        ("", BERLIN, BERLIN),
        ("Gone/Nowhere", "", "UTC"),
    ):
        Account.objects.update(time_zone=account_zone)
        User.objects.update(time_zone=own_zone)
        local = at.astimezone(zones.first_of(expected))
        assert f"{local:%H:%M} {local.tzname()}" in settings_page()
    assert format_time(at).endswith("UTC"), "the zone of one page is not that of the next"


def test_the_account_chooses_its_zone_and_the_history_tells(client_of, ada, account, settings_page):
    url = reverse("access:account_settings", args=[account.pk])
    chosen = {"name": account.name, "time_zone": CHICAGO}
    assert client_of(ada).post(url, chosen).status_code == 302
    assert Account.objects.get(pk=account.pk).time_zone == CHICAGO
    page = settings_page()
    assert re.search(r"C[SD]T", page)
    wrong = client_of(ada).post(url, chosen | {"time_zone": "Mars/Olympus"})
    assert "Mars/Olympus" in wrong.text
    assert wrong.status_code == 200
    assert Account.objects.get(pk=account.pk).time_zone == CHICAGO


def test_a_person_chooses_a_zone_for_themselves(client_of, sam, account):
    client = client_of(sam)
    url = reverse("own_settings")
    assert 'value="Europe/Berlin"' in client.get(url).text
    page = client.post(url, {"time_zone": BERLIN}, follow=True).text
    assert "Saved your settings." in page
    assert re.search(r"CES?T", page)
    assert client.post(url, {"time_zone": "Mars/Olympus"}).status_code == 200
    assert User.objects.get(pk=sam.pk).time_zone == BERLIN


def test_programs_get_utc_whatever_is_chosen(account, ada):
    Account.objects.update(time_zone=CHICAGO)
    User.objects.update(time_zone=BERLIN)
    api = service_of(account, ada, "Sync", Service(levels=EVERYTHING, can_push_to_accounting=True))
    rows = api.get(f"companies/{account.pk}/users").json()
    moments = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", str(rows))
    assert set(moments) == {"Z"}


def test_the_list_offers_places_and_no_other_name_of_a_zone():
    offered = zones.names()
    assert {"UTC", CHICAGO, BERLIN} <= set(offered)
    assert not [zone for zone in offered if zone.startswith(("Etc/", "US/"))]
    with pytest.raises(ValidationError, match="America/Chicago"):
        zones.check("Mars/Olympus")


def test_a_time_is_shown_with_the_short_name_of_its_zone():
    assert format_time(datetime(2026, 11, 29, 14, 3, tzinfo=UTC)) == "Nov 29, 2026 14:03 UTC"


def test_no_page_shows_a_time_without_its_zone():
    bare = re.compile(r'\|(date:"[^"]*[HhGgPfis]|time\b)')
    pages = [path for root in project.TEMPLATES[0]["DIRS"] for path in Path(root).rglob("*.html")]
    assert len(pages) > 50
    assert [path.name for path in pages if bare.search(path.read_text())] == []
