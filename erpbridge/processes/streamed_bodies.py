"""Bodies of unknown length, as the HTTP clients of .NET, Java, Go and Node.js stream them.

Django reads as many bytes as ``Content-Length`` says, and takes a request without one for empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import IO, Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# More than this is kept in a file; Django does the same with uploads.
IN_MEMORY = 2_621_440
PIECE = 65_536


class Measured:
    """Reads a chunked body before the application sees it, and tells its length.

    Reading stops behind ``most`` bytes; the length told is then too large for any page or call.
    """

    def __init__(self, application: Application, most: int) -> None:
        self.application, self.most = application, most

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer as the application does."""
        streamed = environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH")
        # Whoever does not end the body for us would let us wait for ever.
        if not (streamed and environ.get("wsgi.input_terminated")):
            return self.application(environ, start_response)
        with SpooledTemporaryFile(IN_MEMORY) as body:
            length = self._copy(environ["wsgi.input"], body)
            body.seek(0)
            known = {**environ, "wsgi.input": body, "CONTENT_LENGTH": str(length)}
            del known["HTTP_TRANSFER_ENCODING"]
            return self.application(known, start_response)

    def _copy(self, stream: IO[bytes], body: IO[bytes]) -> int:
        length = 0
        while length <= self.most and (piece := stream.read(PIECE)):
            body.write(piece)
            length += len(piece)
        return length
