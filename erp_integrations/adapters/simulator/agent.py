"""The simulator's agent for polled delivery: it calls erpbridge and posts to its ledger.

Run it beside the ledger: ``python -m erp_integrations.adapters.simulator.agent URL PASSWORD FILE``.
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

# Posts a body with these headers; returns status and body.
Post = Callable[[Mapping[str, str], bytes], tuple[int, bytes]]
TAKE = 20
MOST_ROUNDS = 1_000


class NotAnswered(Exception):
    """erpbridge refused the call, or could not be reached."""


class Agent:
    """Fetches commands and lookups from erpbridge and carries them out."""

    def __init__(self, ledger: Ledger, password: str, post: Post) -> None:
        self.ledger = ledger
        self.headers = {"authorization": f"Bearer {password}", "content-type": "application/json"}
        self.post = post

    def run(self) -> int:
        """Work until there is nothing more to do.

        :returns: how many messages.
        :raises NotAnswered: if a call is refused or fails.
        """
        results: dict[str, object] = {"take": TAKE}
        count = 0
        for _ in range(MOST_ROUNDS):
            work = self.ask(results)
            if not work["look"] and not work["do"]:
                return count
            results = {"take": TAKE, **self.work(work)}
            count += len(work["do"])
        return count

    def ask(self, results: Mapping[str, object]) -> dict[str, Any]:
        """Make one call; returns the lookups and commands of the reply.

        :param results: results of the last work, and how much to take.
        :raises NotAnswered: if the call is refused or fails.
        """
        status, body = self.post(self.headers, json.dumps(results, ensure_ascii=False).encode())
        if status != 200:
            raise NotAnswered(f"{status}: {body.decode(errors='replace')[:300]}")
        return dict(json.loads(body))

    def work(self, reply: Mapping[str, Any]) -> dict[str, object]:
        """Do the lookups and commands of a reply, except commands that may not begin any more."""
        began = time.monotonic()
        records = [self._look_up(lookup) for lookup in reply["look"]]
        reports = [
            self._carry_out(command)
            for command in reply["do"]
            if time.monotonic() - began < command["within"]
        ]
        return {"found": records, "reports": reports}

    def _look_up(self, lookup: Mapping[str, Any]) -> dict[str, object]:
        record = _as_json(self.ledger.record(lookup["entity"], lookup["key"]))
        return {"ticket": lookup["ticket"], "entity": lookup["entity"], "record": record}

    def _carry_out(self, command: Mapping[str, Any]) -> dict[str, object]:
        try:
            record = self.ledger.post(command["request"], written(command["message"]))
        except Refused as refused:
            error = {"code": refused.code, "message": refused.message, "column": refused.column}
            return {"ticket": command["ticket"], "error": error}
        numbers = {"id": str(record.id), "version": str(record.version)}
        return {"ticket": command["ticket"], "key": record.key, **numbers}


def _as_json(record: Record | None) -> dict[str, object] | None:
    if record is None:
        return None
    values = dict(record.values)
    return {"id": str(record.id), "version": str(record.version), "values": values}


def over_http(url: str) -> Post:
    """A function that posts to the URL of a connection, and raises :class:`NotAnswered`."""

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
    """Command line: call erpbridge once, or every so many seconds."""
    parser = argparse.ArgumentParser(description="Ask erpbridge for records, as an ERP would.")
    parser.add_argument("url", help="the address shown on the page of the connection")
    parser.add_argument("password", help="the password of the connection")
    parser.add_argument("ledger", help="the ledger's file, made if it is not there")
    parser.add_argument("--every", type=float, help="ask again after so many seconds")
    options = parser.parse_args(arguments)
    if not options.url.startswith(("http://", "https://")):
        parser.error("the address begins with http:// or https://")
    path = Path(options.ledger)
    agent = Agent(Ledger(path.parent, path.stem), options.password, over_http(options.url))
    while True:
        try:
            sys.stdout.write(f"{agent.run()} records carried out\n")
        except NotAnswered as error:
            sys.stderr.write(f"{error}\n")
            if not options.every:
                return 1
        if not options.every:
            return 0
        time.sleep(options.every)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
