"""A command whose parent record has no link never leaves: not by a race, not by a look-up."""

from __future__ import annotations

import pytest
from django.urls import reverse

from admin_wbs.models import CodeList, CostCode
from erp_integrations.export import engine
from erp_integrations.models import Attempt, Item, Link
from erp_integrations.models.states import State
from erp_integrations.workflow.links import unlink as unlink_services
from erpbridge.access import policy
from tests.admin_wbs import steps
from tests.admin_wbs.books import strike_out
from tests.erp_integrations.steps import connect, export, let_pass
from tests.erp_integrations.test_races import at_once

ROUNDS = 6


@pytest.fixture
def code_list(account, ada) -> CodeList:
    """The ERP Standard Cost Codes of a connection."""
    connection = connect(account, by=ada)
    return CodeList.objects.get(connection_id=connection.pk)


class Story:
    """The steps that people take with one parent code and one child code."""

    def __init__(self, code_list: CodeList, ada, pat, number: int = 1) -> None:
        account = code_list.account
        self.list, self.ada = code_list, ada
        self.sender, self.approver = policy.load(ada, account), policy.load(pat, account)
        self.connection = account.connections.get()
        top = f"{number:02}"
        made = steps.tree(code_list, ada, f"{top} General", f"{top}-100 Survey")
        self.parent, self.child = made[top], made[f"{top}-100"]

    def send(self, code: CostCode):
        return steps.send(self.list, self.sender, code)

    def accept(self):
        return steps.accept(steps.waiting(self.list), self.approver)

    def export_parent(self) -> None:
        self.send(self.parent)
        self.accept()
        export(self.connection)

    def unlink(self) -> dict[int, str]:
        return unlink_services.unlink(
            self.list.account_id, "cost_code", [self.parent.pk], by=self.ada, why="Wrong"
        )

    def force_the_link_away(self) -> None:
        """The state that an earlier release left, which did not check for children."""
        Link.objects.filter(record_id=self.parent.pk).update(ended_at="2026-01-01T00:00Z")
        CostCode.objects.filter(pk=self.parent.pk).update(origin_id="", erp_state="")

    @property
    def item(self) -> Item:
        return Item.objects.get(record_id=self.child.pk)


@pytest.fixture
def story(code_list, ada, pat) -> Story:
    story = Story(code_list, ada, pat)
    story.export_parent()
    return story


def test_a_child_whose_parent_lost_its_link_goes_back_to_waiting_for_it(
    client_of, story, pat, account
):
    story.send(story.child)
    story.accept()
    story.force_the_link_away()
    export(story.connection)
    item = story.item
    assert (item.state, item.waits_for) == (State.QUEUED, story.parent.pk)
    assert not Attempt.objects.filter(item=item).exists()
    assert ("01-100", "Survey") not in steps.in_erp(story.connection)
    page = client_of(pat).get(reverse("erp:item", args=[account.pk, item.public_id])).text
    assert "Waiting for 01 General to be in the ERP." in page


def test_it_goes_on_once_the_parent_is_in_the_erp_again(story):
    story.send(story.child)
    story.accept()
    story.force_the_link_away()
    export(story.connection)
    strike_out(story.connection, "01")
    story.connection.erp_records.all().delete()
    story.send(story.parent)
    story.accept()
    export(story.connection)
    assert story.item.state == State.SYNCED


def test_others_that_are_due_leave_although_the_first_ones_have_to_wait(story, code_list):
    story.send(story.child)
    other = steps.tree(code_list, story.ada, "01-200 Permits", "02 Site")
    story.send(other["01-200"])
    story.send(other["02"])
    story.accept()
    story.force_the_link_away()
    Item.objects.filter(record_id=other["02"].pk).update(depth=4)
    export(story.connection)
    states = dict(Item.objects.values_list("record_id", "state"))
    assert states[other["02"].pk] == State.SYNCED
    assert states[other["01-200"].pk] == states[story.child.pk] == State.QUEUED


def test_what_is_sent_again_after_a_look_needs_its_parent_as_well(story):
    """The outcome was unknown, the ERP does not have the code, and its parent was unlinked."""
    story.send(story.child)
    story.accept()
    Item.objects.filter(pk=story.item.pk).update(
        state=State.UNCERTAIN, check_after="2026-01-01T00:00Z"
    )
    story.force_the_link_away()
    engine.drain(story.connection.pk)
    let_pass(3600)
    engine.drain(story.connection.pk)
    assert (story.item.state, story.item.waits_for) == (State.QUEUED, story.parent.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["send", "accept", "claim"])
def test_a_parent_is_unlinked_at_the_moment_its_child(step, code_list, ada, pat):
    """Whichever comes first, the child is never created at the ERP's root, and never lost."""
    for number in range(1, ROUNDS + 1):
        story = Story(code_list, ada, pat, number)
        story.export_parent()
        acts = {
            "send": lambda s=story: s.send(s.child),
            "accept": story.accept,
            "claim": lambda s=story: export(s.connection),
        }
        for name, act in acts.items():
            if name == step:
                break
            act()
        refused, _done = at_once(story.unlink, acts[step])
        story.accept()
        export(story.connection)
        linked = Link.objects.active().filter(record_id=story.parent.pk).exists()
        assert linked == bool(refused)
        if Item.objects.filter(record_id=story.child.pk).exists():
            expected = State.SYNCED if linked else State.QUEUED
            assert (number, story.item.state) == (number, expected)
            assert linked or story.item.waits_for == story.parent.pk
