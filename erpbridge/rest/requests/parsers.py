"""Bodies: JSON, and forms whose names carry brackets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, FormParser, MultiPartParser

from erpbridge.rest.errors import Malformed
from erpbridge.rest.requests.parameters import TooDeep, load_json, nested


class Json(BaseParser):
    """Strict JSON: no NaN, no broken surrogates, which no database takes, no endless nesting."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """:raises ParseError: saying where it stops being JSON."""
        body = stream.read()
        try:
            return load_json(body) if body.strip() else {}
        except TooDeep as error:
            raise Malformed({"base": [f"The body {error}."]}) from None
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}") from None


class Nested(BaseParser):
    """``vendor[name]=x`` as ``{"vendor": {"name": "x"}}``; files are among the values."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """The nested fields."""
        found: Any = super().parse(stream, media_type, parser_context)
        parts = [found.data, found.files] if isinstance(found, DataAndFiles) else [found]
        lists: list[tuple[str, list[Any]]] = [pair for part in parts for pair in part.lists()]
        return nested((name, one) for name, values in lists for one in values)


class Form(Nested, FormParser):
    """A form."""


class Multipart(Nested, MultiPartParser):
    """The same from a multipart body."""
