"""The simulator asks us: its protocol, JSON over HTTP, as pure functions.

Its agent posts what it has done and found out, and how much it takes; the reply holds keys to
look up and messages to carry out. The password is that of the connection's settings.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from erp_integrations.adapters.base import (
    Handed,
    InboundAsk,
    InboundCall,
    InboundReply,
    LookUp,
    Outcome,
    Report,
    Seen,
)
from erp_integrations.adapters.simulator.messages import done, found, message_of, refusal
from erp_integrations.adapters.simulator.tables import TABLES, Refused

JSON = "application/json"
MOST = 100
WRONG = "The password is wrong, or the connection has none yet."


def receive(call: InboundCall, password: str) -> InboundAsk:
    """What the agent says. Refused without the password, and where it cannot be read."""
    if not _knows(call.headers.get("authorization", ""), password):
        return replace(_refused(401, WRONG), wrong_credentials=True)
    if call.method != "POST" or call.path:
        return _refused(404, "Post to the address of the connection.")
    try:
        said = json.loads(call.body)
        return InboundAsk(
            take=_number(said.get("take", 0)),
            reports=tuple(map(_report, said.get("reports", []))),
            seen=tuple(map(_seen, said.get("found", []))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _refused(400, "This is not what an agent says; see the adapter's protocol.")


def reply(commands: Sequence[Handed], looks: Sequence[LookUp]) -> InboundReply:
    """What the agent is to look up and to do."""
    return _answer(
        200,
        {
            "look": [{"ticket": one.ticket, "entity": one.entity, "key": one.key} for one in looks],
            "do": [
                {
                    "ticket": one.ticket,
                    "within": one.begin_within,
                    "request": one.command.intent,
                    "message": message_of(one.command),
                }
                for one in commands
            ],
        },
    )


def locked_out(seconds: float) -> InboundReply:
    """The refusal after too many wrong passwords."""
    why = f"Too many calls had a wrong password. Ask again in {seconds:.0f} seconds."
    return replace(_answer(429, {"error": why}), retry_after=seconds)


def _knows(header: str, password: str) -> bool:
    given = header.removeprefix("Bearer ").encode()
    return hmac.compare_digest(given, password.encode()) and bool(password)


def _refused(status: int, why: str) -> InboundAsk:
    return InboundAsk(refused=_answer(status, {"error": why}))


def _answer(status: int, said: Mapping[str, Any]) -> InboundReply:
    return InboundReply(status, JSON, json.dumps(said, ensure_ascii=False).encode())


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return min(max(value, 0), MOST)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _report(said: Mapping[str, Any]) -> Report:
    error = said.get("error")
    if error is None:
        outcome = done(*(_text(said[name]) for name in ("id", "key", "version")))
    else:
        refused = Refused(*(_text(error[name]) for name in ("code", "message", "column")))
        outcome = Outcome(error=refusal(refused))
    return Report(_text(said["ticket"]), outcome)


def _seen(said: Mapping[str, Any]) -> Seen:
    held = said["record"]
    if held is None:
        return Seen(_text(said["ticket"]), None)
    entity = _text(said["entity"])
    values = {column: _text(held["values"][column]) for column in TABLES[entity].limits}
    one = found(entity, _text(held["id"]), _text(held["version"]), values)
    return Seen(_text(said["ticket"]), one)
