"""How cases fail: with a sentence that says which rule is broken, and where to read about it."""

from __future__ import annotations

from collections.abc import Callable

from erp_integrations.adapters.base import AdapterError, ErpError

GUIDE = "docs/write-an-adapter.md"
# Its sections.
SECTIONS = {
    1: "The package",
    2: "The class",
    3: "Say what is true",
    4: "The delivery",
    5: "The conformance kit",
}


def failure(sentence: str, section: int) -> AssertionError:
    """The failure of a case, to be raised.

    :param sentence: the rule that is broken, and what was seen.
    :param section: the section of the guide that explains the rule.
    """
    place = f"{GUIDE}, section {section}, “{SECTIONS[section]}”"
    return AssertionError(f"{sentence} See {place}.")


def require(condition: object, sentence: str, section: int) -> None:
    """Fail the case unless the condition holds; see :func:`failure`."""
    __tracebackhide__ = True
    if not condition:
        raise failure(sentence, section)


def require_error(call: Callable[[], object], sentence: str, section: int) -> ErpError:
    """Fail the case unless the call raises an AdapterError; returns its error."""
    __tracebackhide__ = True
    try:
        answer = call()
    except AdapterError as raised:
        return raised.error
    raise failure(f"{sentence} It returned {answer!r}.", section)
