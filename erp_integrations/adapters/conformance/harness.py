"""Harness of the conformance kit: a test ERP, its adapter, and ways to make the ERP fail."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from erp_integrations.adapters.base import (
    Adapter,
    Ambiguous,
    Command,
    EntityManifest,
    Found,
    Manifest,
    Operation,
    Outcome,
)
from erp_integrations.adapters.conformance import delivery
from erp_integrations.adapters.conformance.delivery import Transport
from erp_integrations.adapters.conformance.require import GUIDE, failure

Row = Mapping[str, object]


class CannotShow(Exception):
    """The ERP or its harness cannot do what a case needs: the case is skipped with the reason."""


def cannot(reason: str) -> NoReturn:
    """Call it in a hook that the ERP cannot support.

    :param reason: shown at the end of the run.
    :raises CannotShow: always.
    """
    raise CannotShow(reason)


class Harness(ABC):
    """A new ERP and its adapter, made for every test.

    Override the abstract methods, and every other hook that raises NotImplementedError; call
    :func:`cannot` in a hook that the ERP cannot support.
    """

    # The tested record type, and two fields of its payload: one for text, one for digits.
    entity = "vendor"
    text_field = "name"
    digits_field = "zip"
    # False if the ERP accepts a key twice; then only the engine prevents duplicates.
    erp_keeps_keys_unique = True
    # The most records with which a full batch is tried; lower it for an ERP that is slow.
    full_batch = 50
    # Records on one page of ``pull``; one more is created, to see that the next page is read too.
    page_size = 100
    # Payload values in place of the kit's own, where the ERP does not take those.
    samples: Mapping[str, object] = MappingProxyType({})
    # An ERP ID in the form of the ERP's own that no record has.
    missing_id = "999999999"
    # Why the ERP has no limit for the length of the text field; empty if it has one.
    no_limit = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def adapter(self) -> Adapter:
        """A new adapter of the ERP with its current configuration; used for one call each."""

    @abstractmethod
    def command(self, number: int = 1, /, **payload: object) -> Command:
        """A valid create command; its key and intent depend on ``number`` only."""

    @abstractmethod
    def holdings(self) -> Sequence[Row]:
        """All records of the type in the ERP, read without the adapter.

        Each with ``erp_id``, ``key``, and all other columns that a write could change.
        """

    # --- actions in the ERP -----------------------------------------------------------------

    def plant(self, command: Command, **payload: object) -> None:
        """Create a record with the command's key and other contents, without the adapter."""
        self._missing("plant")

    def plant_twins(self, command: Command) -> None:
        """Create two records with the command's key, without the adapter."""
        self._missing("plant_twins")

    def change(self, erp_id: str) -> None:
        """Change a record as a user of the ERP would, so that its version changes."""
        self._missing("change")

    def delete(self, erp_id: str) -> None:
        """Delete a record as a user of the ERP would, also while a pull reads its pages."""
        self._missing("delete")

    def received(self) -> Mapping[str, object]:
        """The fields of the last write that the ERP received, by the ERP's names."""
        self._missing("received")

    def settle(self) -> None:  # noqa: B027 - most have nothing to do
        """Let the ERP finish pending commands; does nothing for an ERP without a queue."""

    # --- failures, each for the time of its context -----------------------------------------

    def losing_answers(self) -> AbstractContextManager[None]:
        """The ERP applies commands, but its answers are lost."""
        self._missing("losing_answers")

    def refusing_login(self) -> AbstractContextManager[None]:
        """The ERP refuses the credentials."""
        self._missing("refusing_login")

    def throttling(self) -> AbstractContextManager[float | None]:
        """The ERP refuses commands with its rate limit.

        The context gives the seconds that the ERP asks to wait, as its ``Retry-After`` does; None
        if the ERP does not say.
        """
        self._missing("throttling")

    def answering_garbage(self) -> AbstractContextManager[None]:
        """The ERP, or a proxy in front of it, answers with something that is not its protocol."""
        self._missing("answering_garbage")

    def failing_at_questions(self) -> AbstractContextManager[None]:
        """The ERP answers all reading calls with an error such as HTTP status 500."""
        self._missing("failing_at_questions")

    def failing_at_writes(self) -> AbstractContextManager[None]:
        """The ERP answers writes with an error such as HTTP status 500, applied or not."""
        self._missing("failing_at_writes")

    def being_slow(self) -> AbstractContextManager[None]:
        """The ERP answers after the adapter's timeout. Shorten that timeout for tests."""
        self._missing("being_slow")

    def address(self) -> str:
        """The URL at which the adapter calls the ERP, such as ``http://127.0.0.1:8000``."""
        self._missing("address")

    def adapter_at(self, address: str) -> Adapter:
        """The adapter with another URL, such as ``https://127.0.0.1:8443``.

        Needed for a harness that has an :meth:`address`.
        """
        self._missing("adapter_at")

    def in_a_hurry(self) -> AbstractContextManager[None]:
        """Make the adapter begin a command with three seconds left.

        Override it for an adapter that needs more time left to begin one.
        """
        return nullcontext()

    def applying_late(self) -> AbstractContextManager[None]:
        """The ERP applies commands after the adapter's timeout, at :meth:`settle`."""
        self._missing("applying_late")

    def secrets(self) -> Sequence[str]:
        """All secrets of the adapter; none may appear in logs, answers or messages."""
        self._missing("secrets")

    # --- for polled and file delivery -------------------------------------------------------

    def ask(self, transport: Transport) -> None:
        """Polled: let the ERP's agent call until there is nothing more to do."""
        self._missing("ask")

    def import_file(self, name: str, content: bytes) -> bytes | None:
        """File: import it into the ERP; returns the result file, or None if that is lost."""
        self._missing("import_file")

    # --- used by the kit --------------------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """The manifest with the adapter's current configuration."""
        adapter = self.adapter()
        return type(adapter).manifest(adapter.config)

    @property
    def entity_manifest(self) -> EntityManifest:
        """The manifest of the tested record type."""
        return self.manifest.entities[self.entity]

    def update(self, command: Command, done: Outcome, **payload: object) -> Command:
        """An update command for the record that ``command`` created.

        As in erpbridge, the values of its acceptance fields are blank.

        :param done: the outcome of ``command``.
        """
        return replace(
            command,
            intent=f"{command.intent}-update",
            operation=Operation.UPDATE,
            payload={**command.payload, **payload},
            acceptance=dict.fromkeys(command.acceptance, ""),
            erp_id=done.erp_id,
            erp_version=done.erp_version,
        )

    def deliver(self, *commands: Command) -> list[Outcome]:
        """Deliver the commands in the manifest's delivery, until all outcomes are final."""
        return delivery.deliver(self, commands)

    def look(self, key: str) -> Found | Ambiguous | None:
        """Look up a key.

        :raises CannotShow: if the manifest does not have ``can_find``.
        """
        if not self.manifest.can_find:
            cannot("The manifest says that the ERP cannot be asked by key.")
        return delivery.look(self, key)

    def rows_with_key(self, key: str) -> list[Row]:
        """The ERP's rows with a key, after pending commands have finished."""
        self.settle()
        held = self.holdings()
        for row in held:
            if lacking := sorted({"erp_id", "key"} - row.keys()):
                raise failure(
                    f"Every row of holdings() needs the ERP's ID as 'erp_id' and its key as "
                    f"'key', besides its other columns; {lacking} is not in {sorted(row)}.",
                    5,
                )
        return [row for row in held if self.same_key(str(row["key"]), key)]

    def same_key(self, key: str, other: str) -> bool:
        """Whether two keys are the same to the ERP."""
        if self.entity_manifest.key_case_sensitive:
            return key == other
        return key.casefold() == other.casefold()

    def _missing(self, hook: str) -> NoReturn:
        says = inspect.cleandoc(getattr(Harness, hook).__doc__).partition("\n")[0]
        raise NotImplementedError(
            f"Override {type(self).__name__}.{hook}(): “{says}” If this ERP cannot do that, call "
            f"cannot(why not) in it. See {GUIDE}, section 5."
        )
