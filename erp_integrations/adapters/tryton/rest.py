"""Tryton's REST API: searching, reading, creating and writing records of a model."""

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
# With less than this a write would only end as uncertain.
LEAST_SECONDS = 1.0
NULL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
Row = Mapping[str, Any]


def encoded(value: Any) -> str:
    """A domain, an order or a context as Tryton wants it in an address or a header."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


class Rest:
    """One Tryton database, as one application of one user in one company.

    Every method raises :class:`AdapterError` for what is not a success.
    """

    def __init__(self, url: str, *, key: str, company: int, io: Io) -> None:
        headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "Content-Type": "application/json",
            # The messages that are told apart in refusals.py; texts are read as they were written.
            "Accept-Language": "en",
            "X-Tryton-Context": encoded({"company": company}),
        }
        self.http = HttpClient(url, headers=headers, secrets=[key], io=io)
        self.deadline = io.deadline

    def search(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], *, most: int | None = None
    ) -> list[Row]:
        """Records in the order of their ids; inactive ones only where the domain names them."""
        order = [["id", "ASC"]]
        params: list[tuple[str, Any]] = [("d", encoded(domain)), ("o", encoded(order))]
        params += [("f", one) for one in fields]
        if most is not None:
            params.append(("s", most))
        found = self._done(self._call("GET", f"/rest/model/{model}", params=params))
        if not isinstance(found, list):
            raise AdapterError(error(ErrorClass.BUG, "Tryton's answer is not a list of records."))
        return [_row(one, fields) for one in found]

    def read(self, model: str, number: str, fields: Sequence[str]) -> Row:
        """One record, inactive or not."""
        answer = self._call(
            "GET", self._place(model, number), params=[("f", one) for one in fields]
        )
        return _row(self._done(answer), fields)

    def create(self, model: str, values: Row, fields: Sequence[str]) -> Row:
        """A new record, as Tryton holds it then."""
        return self._write("POST", f"/rest/model/{model}", values, fields)

    def write(self, model: str, number: str, values: Row, fields: Sequence[str]) -> Row:
        """Change values of a record. :returns: the record as Tryton holds it then."""
        return self._write("PUT", self._place(model, number), values, fields)

    def ask(self, model: str, question: str, values: Row) -> Any:
        """The answer to one of the questions that Tryton's clients ask; changes nothing."""
        path = f"/rest/model/{model}/{question}"
        return self._done(self._call("POST", path, body=to_bytes(values), safe=True))

    def _write(self, method: str, path: str, values: Row, fields: Sequence[str]) -> Row:
        message = to_bytes(values)
        if self.deadline.left() < LEAST_SECONDS:
            raise AdapterError(error(ErrorClass.TRANSIENT, "There was no time left to write it."))
        params = [("f", one) for one in fields]
        done = self._done(self._call(method, path, params=params, body=message))
        try:
            return _row(done, fields)
        except AdapterError as problem:
            # It was carried out, as far as the status says.
            unclear = replace(problem.error, cls=ErrorClass.BUG, effect=Effect.UNCERTAIN)
            raise AdapterError(unclear) from problem

    def _call(self, method: str, path: str, **how: Any) -> Answer:
        return self.http.call(method, path, seconds=CALL_SECONDS, **how)

    def _place(self, model: str, number: str) -> str:
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise AdapterError(error(ErrorClass.MISSING_REF, f"Tryton has no record “{number}”."))
        return f"/rest/model/{model}/{int(number)}"

    def _done(self, answer: Answer) -> Any:
        """:raises AdapterError: for a refusal, and for what is not JSON."""
        if not 200 <= answer.status < 300:
            raise AdapterError(refusal(answer))
        return answer.json()


def to_bytes(values: Row) -> bytes:
    """The message of a write. :raises AdapterError: for what no ERP can store."""
    text = json.dumps(values, ensure_ascii=False)
    try:
        message = text.encode()
    except UnicodeEncodeError as problem:
        said = "A value holds half a character (a lone surrogate)."
        raise AdapterError(error(ErrorClass.INVALID, said)) from problem
    if NULL.search(text):
        raise AdapterError(error(ErrorClass.INVALID, "A value holds the null character."))
    return message


def _row(value: Any, fields: Sequence[str]) -> Row:
    """A record with everything asked for; fields that may not be read are silently left out."""
    if not isinstance(value, Mapping) or "id" not in value:
        raise AdapterError(error(ErrorClass.BUG, "Tryton's answer is not a record."))
    for one in fields:
        if one.partition(".")[0] not in value:
            said = f"Tryton does not let this user read {one} of {value.get('__name__')}."
            raise AdapterError(error(ErrorClass.FORBIDDEN, said))
    return value
