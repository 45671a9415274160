"""Body parsers: JSON, and forms with brackets in their field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, FormParser, MultiPartParser

from erpbridge.rest.errors import Malformed
from erpbridge.rest.requests.parameters import TooDeep, load_json, nested


class Json(BaseParser):
    """Strict JSON: no NaN, no broken surrogates (databases reject them), limited depth."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Any:
        """Parse the body; an empty one is an empty object.

        :raises ParseError: with the position of the syntax error.
        :raises Malformed: for a body that is nested too deeply.
        """
        body = stream.read()
        try:
            return load_json(body) if body.strip() else {}
        except TooDeep as error:
            raise Malformed({"base": [f"The body {error}."]}) from None
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}") from None


class Nested(BaseParser):
    """Parses ``vendor[name]=x`` to ``{"vendor": {"name": "x"}}``; uploaded files are values too."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, object] | None = None,
    ) -> Any:
        """Return the nested fields."""
        parsed: Any = super().parse(stream, media_type, parser_context)
        parts = [parsed.data, parsed.files] if isinstance(parsed, DataAndFiles) else [parsed]
        lists: list[tuple[str, list[object]]] = [pair for part in parts for pair in part.lists()]
        return nested((name, value) for name, values in lists for value in values)


class Form(Nested, FormParser):
    """Parser for URL-encoded forms."""


class Multipart(Nested, MultiPartParser):
    """Parser for multipart forms."""
