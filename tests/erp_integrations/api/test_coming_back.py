"""A rejected record that comes again, over REST: what was said, what changed, and a note."""

from __future__ import annotations

from directory.models import Company
from erp_integrations.models import Item
from tests.erp_integrations.api import steps
from tests.factories import CompanyFactory


def test_a_note_and_what_was_said_before_are_in_the_item(api, account, ada):
    steps.connect(account, by=ada)
    company = CompanyFactory.create(account=account, name="Cedar Glass")
    steps.send(api, company.pk)
    first = Item.objects.get()
    Item.objects.update(sent_by=ada)
    steps.act(api, first, "reject", {"reason": "Which city?"})
    Company.objects.filter(pk=company.pk).update(city="Easton")
    long = steps.send(api, company.pk, {"note": "x" * 1_001})
    assert (long.status_code, list(long.json()["errors"])) == (422, ["note"])
    assert steps.send(api, company.pk, {"note": "It is Easton."}).status_code == 201
    body = steps.show(api, Item.objects.latest("pk")).json()
    assert body["note"] == "It is Easton."
    assert body["rejected_before"]["reason"] == "Which city?"
    changed = [{"label": "City", "old": "", "new": "Easton"}]
    assert body["rejected_before"]["changes"] == changed
    assert steps.show(api, first).json()["rejected_before"] is None
