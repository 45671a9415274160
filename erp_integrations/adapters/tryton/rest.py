"""Client of Tryton's REST API: search, read, create and write records of a model."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from erp_integrations.adapters.base import AdapterError, Effect, ErrorClass, Io
from erp_integrations.adapters.http import Answer, HttpClient
from erp_integrations.adapters.tryton.refusals import error, refusal

CALL_SECONDS = 10.0
# A write is not begun with less time left, because it would probably end as uncertain.
LEAST_SECONDS = 1.0
# A null character in JSON text; after an even number of backslashes "u0000" is plain text.
NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# A record as Tryton has answered it.
Row = Mapping[str, Any]


def encoded(value: object) -> str:
    """A domain, order or context encoded for a URL or header of Tryton's REST API."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


class Rest:
    """One Tryton database, called with the application key of one user, for one company.

    Every method raises :class:`AdapterError` for a response that is not a success.
    """

    def __init__(self, url: str, *, key: str, company: int, io: Io) -> None:
        headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            # refusals.py tells errors apart by their English messages.
            "Accept-Language": "en",
            "X-Tryton-Context": encoded({"company": company}),
        }
        self.http = HttpClient(url, headers=headers, secrets=[key], io=io)
        self.deadline = io.deadline

    def search(
        self,
        model: str,
        domain: Sequence[object],
        fields: Sequence[str],
        *,
        most: int | None = None,
        order: Sequence[Sequence[str]] = (("id", "ASC"),),
    ) -> list[Row]:
        """Records, by default in order of their IDs; inactive ones only if the domain says so."""
        params: list[tuple[str, object]] = [("d", encoded(domain)), ("o", encoded(order))]
        params += [("f", field) for field in fields]
        if most is not None:
            params.append(("s", most))
        rows = self._done(self._call("GET", f"/rest/model/{model}", params=params))
        if not isinstance(rows, list):
            raise AdapterError(error(ErrorClass.BUG, "Tryton's answer is not a list of records."))
        return [_row(row, fields) for row in rows]

    def read(self, model: str, number: str, fields: Sequence[str]) -> Row:
        """One record, active or not."""
        answer = self._call(
            "GET", self._place(model, number), params=[("f", field) for field in fields]
        )
        return _row(self._done(answer), fields)

    def create(self, model: str, values: Row, fields: Sequence[str]) -> Row:
        """Create a record; returns it as Tryton has stored it."""
        return self._write("POST", f"/rest/model/{model}", values, fields)

    def write(self, model: str, number: str, values: Row, fields: Sequence[str]) -> Row:
        """Update values of a record; returns it as Tryton has stored it."""
        return self._write("PUT", self._place(model, number), values, fields)

    def ask(self, model: str, question: str, values: Row) -> Any:
        """Call a method of a model that only reads; returns its result."""
        path = f"/rest/model/{model}/{question}"
        return self._done(self._call("POST", path, body=to_bytes(values), safe=True))

    def _write(self, method: str, path: str, values: Row, fields: Sequence[str]) -> Row:
        message = to_bytes(values)
        if self.deadline.left() < LEAST_SECONDS:
            raise AdapterError(error(ErrorClass.TRANSIENT, "There was no time left to write it."))
        params = [("f", field) for field in fields]
        done = self._done(self._call(method, path, params=params, body=message))
        try:
            return _row(done, fields)
        except AdapterError as problem:
            # The status says that it was applied, so the effect is uncertain at least.
            unclear = replace(problem.error, cls=ErrorClass.BUG, effect=Effect.UNCERTAIN)
            raise AdapterError(unclear) from problem

    def _call(self, method: str, path: str, **options: Any) -> Answer:
        return self.http.call(method, path, seconds=CALL_SECONDS, **options)

    def _place(self, model: str, number: str) -> str:
        # The number becomes a part of the URL, so nothing but digits may pass.
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise AdapterError(error(ErrorClass.MISSING_REF, f"Tryton has no record “{number}”."))
        return f"/rest/model/{model}/{int(number)}"

    def _done(self, answer: Answer) -> object:
        """:raises AdapterError: for a status that is not 2xx, and a body that is not JSON."""
        if not 200 <= answer.status < 300:
            raise AdapterError(refusal(answer))
        return answer.json()


def to_bytes(values: Row) -> bytes:
    """The JSON body of a write.

    :raises AdapterError: for texts that cannot be stored (lone surrogates, null characters).
    """
    text = json.dumps(values, ensure_ascii=False)
    try:
        message = text.encode()
    except UnicodeEncodeError as problem:
        problem_text = "A value holds half a character (a lone surrogate)."
        raise AdapterError(error(ErrorClass.INVALID, problem_text)) from problem
    if NULL.search(text):
        raise AdapterError(error(ErrorClass.INVALID, "A value holds the null character."))
    return message


def _row(value: object, fields: Sequence[str]) -> Row:
    """Check that a row has all requested fields: Tryton silently leaves out unreadable ones."""
    if not isinstance(value, Mapping) or "id" not in value:
        raise AdapterError(error(ErrorClass.BUG, "Tryton's answer is not a record."))
    for field in fields:
        if field.partition(".")[0] not in value:
            message = f"Tryton does not let this user read {field} of {value.get('__name__')}."
            raise AdapterError(error(ErrorClass.FORBIDDEN, message))
    return value
