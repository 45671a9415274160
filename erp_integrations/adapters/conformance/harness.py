"""What a subclass of the kit gives it: an ERP of the test's own, and the ways to break it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

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

Row = Mapping[str, Any]


class CannotShow(Exception):
    """Something that this ERP or its harness cannot be made to do; listed at the end of a run."""


def cannot(reason: str) -> NoReturn:
    """Say, in a hook, that the ERP cannot be made to do this, and why. :raises CannotShow:"""
    raise CannotShow(reason)


class Harness(ABC):
    """A fresh ERP and the adapter to it. The kit makes one for every test.

    The abstract methods are needed for anything. The others are ways to break the ERP: each is
    overridden, or overridden with :func:`cannot`; what is left as it is fails its test.
    """

    # The record type that is tested, and fields of its payload: one for text, one for digits.
    entity = "vendor"
    text_field = "name"
    digits_field = "zip"
    # False where only the engine's rule "one key in the air" keeps an ERP from taking a key twice.
    erp_keeps_keys_unique = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def adapter(self) -> Adapter:
        """A new adapter to the harness's ERP, as configured now; asked for before every call."""

    @abstractmethod
    def command(self, number: int = 1, /, **payload: Any) -> Command:
        """A valid create. The same number gives the same key and intent, another others."""

    @abstractmethod
    def holdings(self) -> Sequence[Row]:
        """All the ERP's records of the type, read behind the adapter's back.

        Each with ``erp_id``, ``key``, and every other column that a write could change.
        """

    # --- the ERP's own doings ---------------------------------------------------------------

    def plant(self, command: Command, **payload: Any) -> None:
        """Enter a record under the command's key by hand, with other contents."""
        self._missing("plant")

    def plant_twins(self, command: Command) -> None:
        """Enter two records under the command's key."""
        self._missing("plant_twins")

    def change(self, erp_id: str) -> None:
        """Change a record as a person at the ERP would, so that its version is another."""
        self._missing("change")

    def received(self) -> Mapping[str, Any]:
        """The fields of the last write that arrived at the ERP, by the ERP's names."""
        self._missing("received")

    def settle(self) -> None:  # noqa: B027 - most have nothing to do
        """Let the ERP finish what it has been given; nothing to do where it works at once."""

    # --- breaking it, for as long as the context lasts --------------------------------------

    def losing_answers(self) -> AbstractContextManager[None]:
        """The ERP applies what it is sent, but its answer does not arrive."""
        self._missing("losing_answers")

    def refusing_login(self) -> AbstractContextManager[None]:
        """The credentials do not work any more."""
        self._missing("refusing_login")

    def throttling(self) -> AbstractContextManager[None]:
        """The ERP asks for patience instead of doing what it is sent."""
        self._missing("throttling")

    def answering_garbage(self) -> AbstractContextManager[None]:
        """The ERP, or something before it, answers with what is not its language."""
        self._missing("answering_garbage")

    def failing_at_questions(self) -> AbstractContextManager[None]:
        """The ERP answers whatever only reads with an error of its own, such as HTTP's 500."""
        self._missing("failing_at_questions")

    def being_slow(self) -> AbstractContextManager[None]:
        """The ERP answers later than the adapter waits. Shorten that wait for tests."""
        self._missing("being_slow")

    def address(self) -> str:
        """Where the adapter reaches the ERP over the network, such as ``http://127.0.0.1:8000``."""
        self._missing("address")

    def adapter_at(self, address: str) -> Adapter:
        """The adapter as it is, but that the ERP is at another address, such as
        ``https://127.0.0.1:8443``; for an adapter that has an :meth:`address`.
        """
        self._missing("adapter_at")

    def in_a_hurry(self) -> AbstractContextManager[None]:
        """The adapter begins a command with three seconds left; it may want more by itself."""
        return nullcontext()

    def applying_late(self) -> AbstractContextManager[None]:
        """The ERP applies what it is sent after the caller gave up: at :meth:`settle`."""
        self._missing("applying_late")

    def secrets(self) -> Sequence[str]:
        """Every secret the adapter was given; none of them may be seen anywhere."""
        self._missing("secrets")

    # --- needed for some deliveries ---------------------------------------------------------

    def ask(self, transport: Transport) -> None:
        """Polled: let the ERP's agent ask until there is nothing more for it."""
        self._missing("ask")

    def import_file(self, name: str, content: bytes) -> bytes | None:
        """File: import it at the ERP; the ERP's result file, or None where that is lost."""
        self._missing("import_file")

    # --- what the kit makes of them ---------------------------------------------------------

    @property
    def manifest(self) -> Manifest:
        """What the adapter declares as configured now."""
        adapter = self.adapter()
        return type(adapter).manifest(adapter.config)

    @property
    def entity_manifest(self) -> EntityManifest:
        """The part of it for the tested record type."""
        return self.manifest.entities[self.entity]

    def update(self, command: Command, done: Outcome, **payload: Any) -> Command:
        """The command that changes what ``command`` created."""
        return replace(
            command,
            intent=f"{command.intent}-update",
            operation=Operation.UPDATE,
            payload={**command.payload, **payload},
            erp_id=done.erp_id,
            erp_version=done.erp_version,
        )

    def deliver(self, *commands: Command) -> list[Outcome]:
        """Take the commands to the ERP as its delivery asks, to the end, as the engine does."""
        return delivery.deliver(self, commands)

    def look(self, key: str) -> Found | Ambiguous | None:
        """Look a key up. :raises CannotShow: in an ERP that cannot be asked by key."""
        if not self.manifest.can_find:
            cannot("The manifest says that the ERP cannot be asked by key.")
        return delivery.look(self, key)

    def held(self, key: str) -> list[Row]:
        """The ERP's rows under a key, once it has finished what it was given."""
        self.settle()
        return [row for row in self.holdings() if self.same_key(str(row["key"]), key)]

    def same_key(self, one: str, other: str) -> bool:
        """Whether the ERP takes two keys for one."""
        if self.entity_manifest.key_case_sensitive:
            return one == other
        return one.casefold() == other.casefold()

    def _missing(self, hook: str) -> NoReturn:
        name = type(self).__name__
        raise NotImplementedError(f"Override {name}.{hook}(), or let it say cannot(why not).")
