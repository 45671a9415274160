"""What cases have in common: deliver, read back, break rules, and what has to hold of outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erp_integrations.adapters.base import (
    Adapter,
    Command,
    Effect,
    EntityManifest,
    ErrorClass,
    Found,
    Outcome,
    Page,
    Problem,
)
from erp_integrations.adapters.conformance.harness import CannotShow, Harness, Row, cannot
from erp_integrations.adapters.conformance.require import failure, require
from erp_integrations.workflow.payloads.field_rules import problems

# More pages than the records of a case fill, even one by one.
MOST_PAGES = 500


def applied(erp: Harness, command: Command) -> Outcome:
    """Deliver a command that must succeed."""
    (outcome,) = erp.deliver(command)
    require_applied(outcome, f"The {command.operation} of {command.key}")
    return outcome


def create_many(erp: Harness, count: int) -> list[Outcome]:
    """Create the records number 1 to ``count``, in batches as large as declared."""
    commands = [erp.command(number) for number in range(1, count + 1)]
    outcomes: list[Outcome] = []
    size = erp.entity_manifest.batches.create
    for start in range(0, count, size):
        outcomes += erp.deliver(*commands[start : start + size])
    for command, outcome in zip(commands, outcomes, strict=True):
        require_applied(outcome, f"The create of {command.key}, one of {count},")
    return outcomes


def pages(erp: Harness, since: str = "") -> Iterator[Page]:
    """The pages of one pull; their number is bounded."""
    adapter, cursor, seen = erp.adapter(), "", {""}
    while True:
        page = _page(erp, adapter, cursor, since)
        yield page
        cursor = page.cursor
        if not cursor:
            return
        require(cursor not in seen, f"pull() gives the cursor {cursor!r} again: it never ends.", 2)
        seen.add(cursor)
        require(len(seen) <= MOST_PAGES, f"pull() has not ended after {MOST_PAGES} pages.", 2)


def _page(erp: Harness, adapter: Adapter, cursor: str, since: str) -> Page:
    at = f"the page at the cursor {cursor!r}" if cursor else "the first page"
    try:
        page = adapter.pull(erp.entity, cursor, since)
    except CannotShow as reason:
        raise failure(
            f"The manifest declares imports=True for {erp.entity}, so pull() has to be shown, but "
            f"the harness says: {reason}",
            5,
        ) from None
    except Exception as error:
        raise failure(
            f"The manifest declares imports=True for {erp.entity}, but pull() raises {error!r} for "
            f"{at}.",
            2,
        ) from error
    require(isinstance(page, Page), f"pull() has to return a Page; it returns {page!r}.", 2)
    return page


def pulled_since(erp: Harness, since: str = "") -> tuple[dict[str, Found], str]:
    """The records of a pull by ERP ID, and the point for the next pull."""
    records: dict[str, Found] = {}
    point = ""
    for page in pages(erp, since):
        records |= {record.erp_id: record for record in page.records}
        point = page.point
    return records, point


def rows(erp: Harness) -> list[tuple[object, ...]]:
    """All rows of the ERP in a comparable form, after pending commands have finished."""
    erp.settle()
    return sorted(tuple(sorted(row.items(), key=str)) for row in erp.holdings())


def require_unchanged(erp: Harness, before: list[tuple[object, ...]], what: str) -> None:
    """Require that the ERP's rows are as they were."""
    after = rows(erp)
    different = [row for row in after if row not in before] or "fewer rows than before"
    require(after == before, f"{what} must write nothing; the ERP now has {different}.", 3)


def only_row(erp: Harness, key: str) -> Row:
    """The ERP's row with this key; fails unless there is exactly one."""
    found = erp.rows_with_key(key)
    require(len(found) == 1, f"The ERP must hold {key} once; it holds it {len(found)} times.", 3)
    return found[0]


def found(erp: Harness, key: str) -> Found:
    """The record that a lookup returns; fails if it returns anything else."""
    record = erp.look(key)
    if not isinstance(record, Found):
        raise failure(
            f"find() must return the record with the key {key}; it returns {record!r}.", 2
        )
    return record


def stored(erp: Harness, command: Command, field: str) -> object:
    """The value of a payload field in the ERP, by lookup, or else from its only row."""
    if erp.manifest.can_find:
        data = found(erp, command.key).data
        if field not in data:
            raise failure(
                f"Found.data of {command.key} has no value under {field!r}: {sorted(data)}.", 2
            )
        return data[field]
    names = {declared.name: declared.erp_name for declared in erp.entity_manifest.fields}
    row = only_row(erp, command.key)
    column = names.get(field, field)
    if column not in row:
        raise failure(f"holdings() of the harness has no column {column!r}: {sorted(row)}.", 5)
    return row[column]


def broken(erp: Harness, command: Command) -> Sequence[Problem]:
    """All rules that a command breaks, of the manifest and of the adapter."""
    declared = problems(erp.entity_manifest, command.payload, command.acceptance)
    return [*declared, *erp.adapter().validate(command)]


def declared_names(entity: EntityManifest) -> set[str]:
    """The names of all fields of a manifest, of the payload and of acceptance."""
    accepted = {field.name for field in entity.acceptance_fields}
    return {field.name for field in entity.fields} | accepted


def limits(erp: Harness) -> dict[str, int]:
    """Field -> its limit; says that it cannot be shown if the harness tells why there is none."""
    entity = erp.entity_manifest
    found_limits = {field.name: entity.max_length(field.name) or 0 for field in entity.fields}
    limited = {name: most for name, most in found_limits.items() if most}
    if not limited and erp.no_limit:
        cannot(f"The ERP has no limit: {erp.no_limit}")
    require(
        limited,
        f"No field of {erp.entity} has a MAX_LENGTH rule. Declare what the ERP takes, or let "
        "Harness.no_limit say why it has no limit.",
        5,
    )
    return limited


def too_long(erp: Harness, number: int = 1) -> tuple[str, Command]:
    """A command with one character too many in the first field that has a limit."""
    name, most = next(iter(limits(erp).items()))
    return name, erp.command(number, **{name: "x" * (most + 1)})


def effect(outcome: Outcome) -> Effect:
    """The effect that an outcome claims."""
    return outcome.error.effect if outcome.error else Effect.APPLIED


def described(outcome: Outcome) -> str:
    """An outcome in words."""
    if outcome.error is None:
        return f"applied, with the ID {outcome.erp_id!r}"
    error = outcome.error
    return f"{error.cls}, {error.effect} ({error.message})"


def require_applied(outcome: Outcome, what: str) -> None:
    """Require an outcome without an error and with an ERP ID."""
    require(outcome.error is None, f"{what} must be applied; it is {described(outcome)}.", 3)
    require(outcome.erp_id, f"{what} is applied, but its outcome has no erp_id.", 3)


def require_refused(outcome: Outcome, cls: ErrorClass, what: str) -> None:
    """Require an error of this class with the effect "not applied"."""
    error = outcome.error
    require(
        error is not None and (error.cls, error.effect) == (cls, Effect.NOT_APPLIED),
        f"{what} must be told as {cls} and {Effect.NOT_APPLIED}; it is {described(outcome)}.",
        3,
    )


def require_honest(erp: Harness, command: Command, outcome: Outcome) -> None:
    """Require that the ERP's records agree with the outcome, after pending commands finished."""
    claim, count = effect(outcome), len(erp.rows_with_key(command.key))
    require(count <= 1, f"One create of {command.key} must not make {count} records.", 3)
    require(
        claim != Effect.NOT_APPLIED or count == 0,
        f"The outcome of {command.key} is {described(outcome)}, but the ERP holds the record: what "
        "may have been applied is uncertain.",
        3,
    )
    require(
        claim != Effect.APPLIED or count == 1,
        f"The outcome of {command.key} is {described(outcome)}, but the ERP does not hold it.",
        3,
    )
