"""Cases about the manifest and the lists of an adapter: what it declares must be possible."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

from erp_integrations.adapters.base import (
    API_VERSION,
    MOST_IN_BATCH,
    Adapter,
    Batches,
    Delivery,
    EntityManifest,
    Health,
    Operation,
    Phase,
    Rule,
    RuleKind,
    SettingKind,
)
from erp_integrations.adapters.conformance.harness import Harness, cannot
from erp_integrations.adapters.conformance.require import failure, require
from erp_integrations.adapters.conformance.steps import broken, declared_names, limits
from erp_integrations.adapters.payloads import PAYLOADS, known_names, payload_names

BATCH_NAMES = tuple(field.name for field in fields(Batches))
# Seconds. A worker's lease on a record is a little longer than the deadline of a call.
LEAST_DEADLINE, MOST_DEADLINE = 1, 300
LENGTHS = frozenset(
    {
        RuleKind.MAX_LENGTH,
        RuleKind.MAX_LINE_LENGTH,
        RuleKind.MAX_LENGTH_UNITS,
        RuleKind.MAX_LENGTH_DECIMAL,
    }
)
# Methods without which a delivery does not work, of those that an adapter may leave out.
METHODS: Mapping[Delivery, tuple[str, ...]] = {
    Delivery.SYNC: (),
    Delivery.QUEUED: ("poll",),
    Delivery.POLLED: ("receive", "reply"),
    Delivery.FILE: ("render_file", "read_result"),
}
PATTERNS = frozenset({RuleKind.FORMAT, RuleKind.CHARSET})


class Declarations:
    """Cases that mostly read the manifest."""

    def test_manifest_says_what_the_adapter_is_and_asks_for(self, erp: Harness) -> None:
        """Contract version, verification, and a key made of declared fields."""
        adapter, manifest, entity = erp.adapter(), erp.manifest, erp.entity_manifest
        require(
            adapter.api_version == API_VERSION,
            f"The adapter says api_version = {adapter.api_version}; it must be {API_VERSION}.",
            2,
        )
        require(manifest.key, "Manifest.key is empty.", 2)
        require(manifest.verification, "Manifest.verification does not say how it was tested.", 2)
        require(entity.key, "EntityManifest.key names no field.", 2)
        require(
            set(entity.key) <= declared_names(entity),
            f"EntityManifest.key is {entity.key}; it may only name declared fields.",
            2,
        )
        require(
            Operation.CREATE in entity.operations,
            f"The kit creates records, but {entity.entity} does not declare the operation create.",
            5,
        )

    def test_methods_that_the_manifest_calls_for_are_there(self, erp: Harness) -> None:
        """Methods that have a default are overridden where the manifest says that they work."""
        manifest, adapter = erp.manifest, type(erp.adapter())
        needed = [*METHODS[manifest.delivery], *(["fetch"] if manifest.can_fetch else [])]
        missing = [name for name in needed if getattr(adapter, name) is getattr(Adapter, name)]
        require(
            not missing,
            f"The manifest says delivery={manifest.delivery} and can_fetch={manifest.can_fetch}, "
            f"but the adapter has no {' and no '.join(missing)}.",
            4,
        )

    def test_limits_of_a_call_are_within_those_of_the_contract(self, erp: Harness) -> None:
        """Batches, concurrency and the deadline of a call."""
        manifest, batches = erp.manifest, erp.entity_manifest.batches
        for name in BATCH_NAMES:
            size = getattr(batches, name)
            require(
                1 <= size <= MOST_IN_BATCH,
                f"EntityManifest.batches.{name} is {size}; it must be from 1 to {MOST_IN_BATCH:,}.",
                2,
            )
        require(
            manifest.concurrency >= 1,
            f"Manifest.concurrency is {manifest.concurrency}; it must be at least 1.",
            2,
        )
        require(
            LEAST_DEADLINE <= manifest.call_deadline <= MOST_DEADLINE,
            f"Manifest.call_deadline is {manifest.call_deadline:,} seconds; it must be from "
            f"{LEAST_DEADLINE} to {MOST_DEADLINE}, because a record stays claimed for as long.",
            3,
        )

    def test_declared_fields_are_fields_of_the_payload(self, erp: Harness) -> None:
        """``Field.name`` and ``WireField.source`` are names that exist."""
        entity = erp.entity_manifest
        require(
            entity.entity in PAYLOADS,
            f"erpbridge has no record type {entity.entity!r}; it has {sorted(PAYLOADS)}.",
            2,
        )
        names = payload_names(entity.entity)
        for field in entity.fields:
            require(
                field.name in names,
                f"Field.name {field.name!r} is no field of the payload of {entity.entity}, so its "
                f"value never arrives. The fields are {', '.join(sorted(names))}.",
                2,
            )
        known = known_names(entity)
        for wire_field in erp.adapter().preview(erp.command()).fields:
            require(
                not wire_field.source or wire_field.source in known,
                f"WireField.source {wire_field.source!r}, of {wire_field.erp_name!r}, is no "
                f"payload or acceptance field of {entity.entity}; leave it empty for a value of "
                "the adapter's own.",
                2,
            )

    def test_rules_have_a_kind_and_the_value_that_it_needs(self, erp: Harness) -> None:
        """Every rule can be checked, and is about the field that it stands at."""
        for name, rule in _rules(erp.entity_manifest):
            shown = f"The rule {rule.kind!r} of {name}"
            require(
                isinstance(rule.kind, RuleKind),
                f"{shown} is no RuleKind; the kinds are {', '.join(RuleKind)}.",
                2,
            )
            require(
                rule.field == name,
                f"{shown} is about the field {rule.field!r}; it must be about {name!r}.",
                2,
            )
            require(isinstance(rule.phase, Phase), f"{shown} has the phase {rule.phase!r}.", 2)
            wanted = _wrong_value(rule)
            require(not wanted, f"{shown} has the value {rule.value!r}; it must be {wanted}.", 2)

    def test_length_of_the_text_field_is_declared(self, erp: Harness) -> None:
        """The text field has a MAX_LENGTH rule, or the harness says why there is no limit."""
        found = limits(erp)
        require(
            erp.text_field in found or erp.no_limit,
            f"The field {erp.text_field!r} has no MAX_LENGTH rule. Declare what the ERP takes, or "
            "let Harness.no_limit say why it has no limit.",
            5,
        )

    def test_command_of_the_harness_is_one_that_the_manifest_takes(self, erp: Harness) -> None:
        """``command()`` breaks no rule, has known names, and a key of its own for each number."""
        command, entity = erp.command(), erp.entity_manifest
        reasons = [problem.message for problem in broken(erp, command)]
        require(
            not reasons,
            "Harness.command() must be a create that people could accept, but it breaks rules: "
            f"{' '.join(reasons)}",
            5,
        )
        unknown = sorted(set(command.payload) - payload_names(entity.entity))
        require(
            not unknown,
            f"Harness.command() has {unknown} in its payload, which no payload "
            f"of {entity.entity} has.",
            5,
        )
        declared = {field.name for field in entity.acceptance_fields}
        unknown = sorted(set(command.acceptance) - declared)
        require(
            not unknown,
            f"Harness.command() has the acceptance values {unknown}, which the "
            "manifest does not ask for.",
            5,
        )
        require(
            command.key != erp.command(2).key,
            f"Harness.command(1) and command(2) have one key, {command.key!r}.",
            5,
        )

    def test_settings_that_say_where_a_connection_leads_are_declared(self, erp: Harness) -> None:
        """At least one setting is ``identity``, or ``no_identity`` is set; no secret is."""
        manifest = erp.manifest
        declared = [setting for setting in manifest.settings if setting.identity]
        secret = [setting.name for setting in declared if setting.kind == SettingKind.SECRET]
        require(not secret, f"A secret is never an identity setting; {secret} are.", 2)
        require(
            bool(declared) != bool(manifest.no_identity.strip()),
            "Either a setting has identity=True, or Manifest.no_identity gives the reason why none "
            f"has; declared are {[setting.name for setting in declared]}, and the reason is "
            f"{manifest.no_identity!r}.",
            2,
        )

    def test_rules_can_be_asked_before_anything_is_connected(self, erp: Harness) -> None:
        """With default settings and no secrets, pure methods and ``check`` raise nothing."""
        connected = erp.adapter()
        declared = [one for one in erp.manifest.settings if one.kind != SettingKind.SECRET]
        defaults = {setting.name: setting.default for setting in declared}
        what = "With default settings and no secrets,"
        try:
            adapter = type(connected)(defaults, {}, connected.io)
            draft = replace(erp.command(), intent="", key="", acceptance={})
            adapter.validate(draft)
            adapter.preview(draft)
            health: object = adapter.check()
        except Exception as error:
            raise failure(
                f"{what} __init__(), validate(), preview() and check() must not raise; one raises "
                f"{error!r}.",
                2,
            ) from error
        require(isinstance(health, Health), f"{what} check() returns {health!r}.", 2)

    def test_connection_test_of_a_healthy_erp_finds_no_problem(self, erp: Harness) -> None:
        """The connection test of a new ERP passes."""
        problems = erp.adapter().check().problems
        require(not problems, f"check() of a healthy ERP must find no problem: {problems}.", 2)

    def test_every_list_that_acceptance_asks_for_can_be_fetched(self, erp: Harness) -> None:
        """Every list that an acceptance field uses has values with a code and a label."""
        adapter = erp.adapter()
        kinds = {field.choices for field in erp.entity_manifest.acceptance_fields if field.choices}
        missing = sorted(kinds - set(adapter.choice_kinds()))
        require(
            not missing,
            f"Acceptance asks for the lists {missing}, which choice_kinds() does not name.",
            2,
        )
        for kind in kinds:
            choices = adapter.choices(kind)
            require(choices, f"choices({kind!r}) has no values.", 2)
            unnamed = [choice for choice in choices if not (choice.code and choice.label)]
            require(
                not unnamed,
                f"Every value of choices({kind!r}) needs a code and a label: {unnamed[:3]}.",
                2,
            )

    def test_every_kind_that_acceptance_asks_for_is_on_its_list(self, erp: Harness) -> None:
        """Every ``group`` of an acceptance field has values, or the list has ungrouped values."""
        grouped = [field for field in erp.entity_manifest.acceptance_fields if field.group]
        if not grouped:
            cannot("No field of the manifest takes values of one kind only.")
        for field in grouped:
            groups = {choice.group for choice in erp.adapter().choices(field.choices)}
            require(
                groups & {field.group, ""},
                f"{field.name} takes values of the kind {field.group!r}, but its list has only "
                f"{sorted(groups)}.",
                2,
            )


def _rules(entity: EntityManifest) -> Iterator[tuple[str, Rule]]:
    """Field name and rule, of payload and acceptance fields."""
    for field in entity.fields:
        yield from ((field.name, rule) for rule in field.rules)
    for asked in entity.acceptance_fields:
        yield from ((asked.name, rule) for rule in asked.rules)


def _wrong_value(rule: Rule) -> str:
    """What the value of a rule must be; empty if it is."""
    value = rule.value
    if rule.kind in LENGTHS:
        least = 0 if rule.kind is RuleKind.MAX_LENGTH_DECIMAL else 1
        right = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return "" if right else f"a number from {least} up"
    if rule.kind in PATTERNS:
        return "" if _is_pattern(rule) else "a regular expression"
    if rule.kind is RuleKind.CASE:
        return "" if value in ("upper", "lower") else "'upper' or 'lower'"
    if rule.kind is RuleKind.DISALLOW_DIVISION:
        return "" if value is None or isinstance(value, str) else "None or the separator of tiers"
    return "" if value is None else "None"


def _is_pattern(rule: Rule) -> bool:
    if not isinstance(rule.value, str) or not rule.value:
        return False
    try:
        re.compile(rule.value if rule.kind is RuleKind.FORMAT else f"[{rule.value.strip('[]')}]")
    except re.error:
        return False
    return True
