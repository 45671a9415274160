"""The simulator's own side of the polled delivery: it asks erpbridge and works for its ledger.

Run beside the ledger: ``python -m erp_integrations.adapters.simulator.agent URL PASSWORD FILE``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from erp_integrations.adapters.simulator.entries import Record
from erp_integrations.adapters.simulator.ledger import Ledger
from erp_integrations.adapters.simulator.messages import written
from erp_integrations.adapters.simulator.tables import Refused

# Posts a body with these headers; gives status and body.
Post = Callable[[Mapping[str, str], bytes], tuple[int, bytes]]
TAKE = 20
MOST_ROUNDS = 1_000


class NotAnswered(Exception):
    """erpbridge refused the call, or did not answer it in its own language."""


class Agent:
    """Asks until there is nothing more to do."""

    def __init__(self, ledger: Ledger, password: str, post: Post) -> None:
        self.ledger = ledger
        self.headers = {"authorization": f"Bearer {password}", "content-type": "application/json"}
        self.post = post

    def run(self) -> int:
        """Carry out what there is. :returns: how many messages. :raises NotAnswered:"""
        said: dict[str, Any] = {"take": TAKE}
        count = 0
        for _ in range(MOST_ROUNDS):
            asked = self.ask(said)
            if not asked["look"] and not asked["do"]:
                return count
            said = {"take": TAKE, **self.work(asked)}
            count += len(asked["do"])
        return count

    def ask(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """One call. :raises NotAnswered:"""
        status, body = self.post(self.headers, json.dumps(said, ensure_ascii=False).encode())
        if status != 200:
            raise NotAnswered(f"{status}: {body.decode(errors='replace')[:300]}")
        return dict(json.loads(body))

    def work(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Look up and carry out what was asked; what comes too late is left alone."""
        began = time.monotonic()
        found = [self._looked_up(one) for one in asked["look"]]
        reports = [
            self._carry_out(one) for one in asked["do"] if time.monotonic() - began < one["within"]
        ]
        return {"found": found, "reports": reports}

    def _looked_up(self, one: Mapping[str, Any]) -> dict[str, Any]:
        record = _told(self.ledger.record(one["entity"], one["key"]))
        return {"ticket": one["ticket"], "entity": one["entity"], "record": record}

    def _carry_out(self, one: Mapping[str, Any]) -> dict[str, Any]:
        try:
            record = self.ledger.post(one["request"], written(one["message"]))
        except Refused as refused:
            error = {"code": refused.code, "message": refused.message, "column": refused.column}
            return {"ticket": one["ticket"], "error": error}
        numbers = {"id": str(record.id), "version": str(record.version)}
        return {"ticket": one["ticket"], "key": record.key, **numbers}


def _told(record: Record | None) -> dict[str, Any] | None:
    if record is None:
        return None
    values = dict(record.values)
    return {"id": str(record.id), "version": str(record.version), "values": values}


def over_http(url: str) -> Post:
    """Posts to the address of a connection. :raises NotAnswered: by the returned function."""

    def post(headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(url, body, dict(headers))  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # nosec B310
                return int(answer.status), bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            raise NotAnswered(f"{url} cannot be reached: {error}") from error

    return post


def main(arguments: Sequence[str]) -> int:
    """Ask once, or again and again."""
    parser = argparse.ArgumentParser(description="Ask erpbridge for records, as an ERP would.")
    parser.add_argument("url", help="the address shown on the page of the connection")
    parser.add_argument("password", help="the password of the connection")
    parser.add_argument("ledger", help="the ledger's file, made if it is not there")
    parser.add_argument("--every", type=float, help="ask again after so many seconds")
    given = parser.parse_args(arguments)
    if not given.url.startswith(("http://", "https://")):
        parser.error("the address begins with http:// or https://")
    path = Path(given.ledger)
    agent = Agent(Ledger(path.parent, path.stem), given.password, over_http(given.url))
    while True:
        try:
            sys.stdout.write(f"{agent.run()} records carried out\n")
        except NotAnswered as error:
            sys.stderr.write(f"{error}\n")
            if not given.every:
                return 1
        if not given.every:
            return 0
        time.sleep(given.every)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
