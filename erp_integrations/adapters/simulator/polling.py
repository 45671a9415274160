"""Protocol of the simulator's polled delivery, JSON over HTTP, as pure functions.

The agent posts its reports, the results of its lookups, and how much it takes; the reply contains
keys to look up and messages to carry out. The password is in the connection's settings.
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
from erp_integrations.adapters.simulator.messages import done, found_record, message_of, refusal
from erp_integrations.adapters.simulator.tables import TABLES, Refused

JSON = "application/json"
# Commands and lookups in one reply, even if the agent would take more.
MOST = 100
WRONG = "The password is wrong, or the connection has none yet."


def receive(call: InboundCall, password: str) -> InboundAsk:
    """Read a call of the agent; refused with a wrong password, or if it cannot be read."""
    if not _knows(call.headers.get("authorization", ""), password):
        return replace(_refused(401, WRONG), wrong_credentials=True)
    if call.method != "POST" or call.path:
        return _refused(404, "Post to the address of the connection.")
    try:
        body = json.loads(call.body)
        return InboundAsk(
            take=_number(body.get("take", 0)),
            reports=tuple(map(_report, body.get("reports", []))),
            seen=tuple(map(_seen, body.get("found", []))),
        )
    # The parser raises RecursionError for thousands of nested brackets.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _refused(400, "This is not a message of the agent; see the adapter's protocol.")


def reply(commands: Sequence[Handed], looks: Sequence[LookUp]) -> InboundReply:
    """The reply with lookups and commands."""
    return _answer(
        200,
        {
            "look": [
                {"ticket": look.ticket, "entity": look.entity, "key": look.key} for look in looks
            ],
            "do": [
                {
                    "ticket": handed.ticket,
                    "within": handed.begin_within,
                    "request": handed.command.intent,
                    "message": message_of(handed.command),
                }
                for handed in commands
            ],
        },
    )


def locked_out(seconds: float) -> InboundReply:
    """The refusal after too many wrong passwords."""
    message = f"Too many calls had a wrong password. Ask again in {seconds:.0f} seconds."
    return replace(_answer(429, {"error": message}), retry_after=seconds)


def _knows(header: str, password: str) -> bool:
    # compare_digest takes the same time for every wrong password.
    sent = header.removeprefix("Bearer ").encode()
    # Without a stored password, an empty header would match.
    return hmac.compare_digest(sent, password.encode()) and bool(password)


def _refused(status: int, message: str) -> InboundAsk:
    return InboundAsk(refused=_answer(status, {"error": message}))


def _answer(status: int, body: Mapping[str, object]) -> InboundReply:
    return InboundReply(status, JSON, json.dumps(body, ensure_ascii=False).encode())


def _number(value: object) -> int:
    # In Python, true of JSON is an integer.
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return min(max(value, 0), MOST)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _report(report: Mapping[str, Any]) -> Report:
    error = report.get("error")
    if error is None:
        outcome = done(*(_text(report[name]) for name in ("id", "key", "version")))
    else:
        refused = Refused(*(_text(error[name]) for name in ("code", "message", "column")))
        outcome = Outcome(error=refusal(refused))
    return Report(_text(report["ticket"]), outcome)


def _seen(result: Mapping[str, Any]) -> Seen:
    row = result["record"]
    if row is None:
        return Seen(_text(result["ticket"]), None)
    entity = _text(result["entity"])
    values = {column: _text(row["values"][column]) for column in TABLES[entity].limits}
    record = found_record(entity, _text(row["id"]), _text(row["version"]), values)
    return Seen(_text(result["ticket"]), record)
