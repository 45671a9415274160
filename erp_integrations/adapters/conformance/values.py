"""Cases about values: what is sent arrives as it is, or is refused before it is sent."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from erp_integrations.adapters.base import Command, Effect, ErrorClass, Operation, Outcome
from erp_integrations.adapters.conformance.harness import Harness, cannot
from erp_integrations.adapters.conformance.payload import NotedPayload, blank, samples
from erp_integrations.adapters.conformance.require import require
from erp_integrations.adapters.conformance.steps import (
    applied,
    broken,
    described,
    limits,
    require_refused,
    require_unchanged,
    rows,
    stored,
    too_long,
)
from erp_integrations.adapters.payloads import known_names, payload_length, payload_names

# Texts that are known to break ERPs.
NASTY = {
    "letters with accents": "Ærø Čapek Łódź Ñandú",
    "other scripts": "東京 Ελλάδα",
    "beyond the basic plane": "Crane \U0001f3d7 Co",
    "ampersand": "Smith & Sons",
    "comma": "Smith, Jones, LLC",
    "colon": "Unit 4: Concrete",
    "semicolon and tab-free bar": "A;B|C",
    "straight quotes": """O'Brien "Best" Co""",
    "typographic quotes": "“Best” ‘Co’",  # noqa: RUF001 - these are the quotes
    "markup": "<b>Bold</b> &amp;",
    "back-slash and percent": r"C:\new %s {0}",
    "formula": "=1+1",
    "signs in front": "+Plus @At -Minus",
}


class Values:
    """Cases of single values."""

    def test_every_declared_field_arrives(self, erp: Harness) -> None:
        """A value for every field of the payload is sent, and each declared one is read back."""
        entity = erp.entity_manifest
        # The key is the harness's: it is not the same for two records.
        values = samples(entity, erp.samples)
        sent = {name: value for name, value in values.items() if name not in entity.key}
        command = erp.command(**sent)
        ignored = [name for name, value in sent.items() if command.payload.get(name) != value]
        require(not ignored, f"Harness.command() leaves out {ignored}, which it is given.", 5)
        reasons = [problem.message for problem in broken(erp, command)]
        require(
            not reasons,
            f"The ERP does not take the kit's sample values; override Harness.samples: {reasons}.",
            5,
        )
        applied(erp, command)
        for field in entity.fields:
            # What is read from rows of the ERP has the ERP's own form: a flag may be any word.
            if field.name not in sent or not (
                erp.manifest.can_find or isinstance(sent[field.name], str)
            ):
                continue
            held = stored(erp, command, field.name)
            require(
                held == sent[field.name],
                f"{sent[field.name]!r} was sent as {field.name}, and the ERP holds {held!r}: the "
                "value of a declared field must arrive.",
                2,
            )

    def test_nothing_is_asked_of_the_payload_that_it_never_has(self, erp: Harness) -> None:
        """The adapter uses no name that is not one of the payload's."""
        names = payload_names(erp.entity)
        create = erp.command()
        payload = NotedPayload({**blank(erp.entity), **create.payload}, names)
        noted = [replace(create, payload=payload)]
        done = _deliver_all(erp, noted[0])
        if Operation.UPDATE in erp.entity_manifest.operations and done.erp_id:
            update = erp.update(create, done, **{erp.text_field: "Changed Name"})
            noted.append(
                replace(update, payload=NotedPayload({**payload, **update.payload}, names))
            )
            _deliver_all(erp, noted[1])
        asked = {name for command in noted for name in getattr(command.payload, "unknown", ())}
        require(
            not asked,
            f"The adapter asks the payload for {sorted(asked)}, which no payload of {erp.entity} "
            f"has, so the value is always empty. The names are {', '.join(sorted(names))}.",
            2,
        )

    @pytest.mark.parametrize("kind", NASTY)
    def test_text_arrives_as_it_was_sent(self, erp: Harness, kind: str) -> None:
        """Texts are stored unchanged: not cut, trimmed, escaped or interpreted."""
        text = NASTY[kind]
        command = erp.command(**{erp.text_field: text})
        if broken(erp, command):
            cannot(f"The ERP takes no such text, and says so: {broken(erp, command)[0].message}")
        applied(erp, command)
        held = stored(erp, command, erp.text_field)
        require(held == text, f"{text!r} was sent, and the ERP holds {held!r}.", 3)

    def test_leading_zeros_stay(self, erp: Harness) -> None:
        """A value of digits is stored as text."""
        command = erp.command(**{erp.digits_field: "00420"})
        applied(erp, command)
        held = stored(erp, command, erp.digits_field)
        require(held == "00420", f"The text '00420' was sent, and the ERP holds {held!r}.", 3)

    def test_longest_text_that_the_manifest_takes_arrives(self, erp: Harness) -> None:
        """A text as long as its limit is stored as a whole."""
        most = limits(erp).get(erp.text_field)
        if most is None:
            cannot(f"The ERP has no limit for {erp.text_field}: {erp.no_limit}")
        longest = "x" * min(most, payload_length(erp.entity, erp.text_field))
        command = erp.command(**{erp.text_field: longest})
        applied(erp, command)
        held = str(stored(erp, command, erp.text_field))
        require(
            held == longest,
            f"{len(longest)} characters of {erp.text_field} were sent, as the MAX_LENGTH rule "
            f"allows, and the ERP holds {len(held)}.",
            2,
        )

    def test_what_is_too_long_is_named_before_it_is_sent(self, erp: Harness) -> None:
        """A value that is too long breaks a rule of the manifest or of ``validate()``."""
        field, command = too_long(erp)
        named = {problem.field for problem in broken(erp, command)}
        require(
            field in named,
            f"A value of {field} with one character too many must break a rule; broken are those "
            f"of {sorted(named)}.",
            2,
        )

    def test_what_is_too_long_and_forced_through_is_invalid_and_writes_nothing(
        self, erp: Harness
    ) -> None:
        """A value that is too long is refused by the ERP or the adapter, and never cut."""
        known = known_names(erp.entity_manifest)
        for number, (name, most) in enumerate(limits(erp).items(), 1):
            before = rows(erp)
            (outcome,) = erp.deliver(erp.command(number, **{name: "x" * (most + 1)}))
            what = f"A value of {name} with {most + 1} characters, one too many,"
            require_refused(outcome, ErrorClass.INVALID, what)
            require_unchanged(erp, before, what)
            field = outcome.error.field if outcome.error else ""
            require(
                not field or field in known,
                f"{what} is told as invalid in the field {field!r}, which is no payload or "
                f"acceptance field of {erp.entity}: nobody can be shown where to correct it.",
                3,
            )

    def test_one_bad_record_of_a_batch_takes_no_other_down(self, erp: Harness) -> None:
        """A batch returns one outcome per command in order; a bad record fails alone."""
        field, bad = too_long(erp, 2)
        first, refused, last = erp.deliver(erp.command(1), bad, erp.command(3))
        require(
            refused.error is not None and refused.error.effect == Effect.NOT_APPLIED,
            f"The second of three commands has a value of {field} that is too long; it must be "
            f"refused, but is {described(refused)}.",
            3,
        )
        for number, outcome in ((1, first), (3, last)):
            key = erp.command(number).key
            count = len(erp.rows_with_key(key))
            require(
                outcome.error is None and count == 1,
                f"{key} is in a batch with a bad record; it must be applied, but is "
                f"{described(outcome)}, and the ERP holds it {count} times.",
                3,
            )
        count = len(erp.rows_with_key(bad.key))
        require(count == 0, f"The refused {bad.key} must not be there; it is {count} times.", 3)
        require(first.erp_id != last.erp_id, f"Two records have the ID {first.erp_id!r}.", 3)

    def test_preview_is_what_is_then_sent(self, erp: Harness) -> None:
        """The preview has exactly the fields and values that are sent."""
        command = erp.command(**{erp.text_field: "Smith & Sons"})
        preview = {field.erp_name: field.value for field in erp.adapter().preview(command).fields}
        applied(erp, command)
        sent = dict(erp.received())
        for name, value in sent.items():
            shown = preview.get(name, "no such field")
            require(
                shown == value,
                f"The ERP received {value!r} as {name}, and the preview shows {shown!r}.",
                2,
            )
        more = [name for name in preview if name not in sent and preview[name]]
        require(not more, f"The preview shows {more}, which the ERP did not receive.", 2)

    def test_preview_asks_nothing_of_the_erp(self, erp: Harness) -> None:
        """The preview is pure: the same for the same command, and nothing is written."""
        before = rows(erp)
        wire = erp.adapter().preview(erp.command())
        again = erp.adapter().preview(erp.command())
        require(wire == again, f"Two previews of one command differ: {wire} and {again}.", 2)
        require_unchanged(erp, before, "A preview")
        for field in wire.fields:
            require(
                _is_json(field.value),
                f"The value of {field.erp_name} is {field.value!r}; previews are stored as JSON.",
                2,
            )


def _deliver_all(erp: Harness, command: Command) -> Outcome:
    """Everything that is done with a command: validate, preview and deliver it."""
    erp.adapter().validate(command)
    erp.adapter().preview(command)
    return erp.deliver(command)[0]


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
