"""The commands that drafts would be exported by."""

from __future__ import annotations

from erp_integrations.adapters.base import Operation
from erp_integrations.models.record_types import Draft
from erp_integrations.workflow.payloads.commands import command_for


def test_command_of_a_draft_that_nobody_has_filled_in_yet_creates_and_holds_no_values():
    draft = Draft(record_id=1, label="Quarry", revision=1, payload={"name": "Quarry"})
    command = command_for(draft, None, entity="vendor")
    assert (command.operation, command.key, command.erp_id) == (Operation.CREATE, "", "")
    assert (command.acceptance, command.intent) == ({}, "")
