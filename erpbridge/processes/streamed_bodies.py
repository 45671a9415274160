"""Request bodies of unknown length, as HTTP clients of .NET, Java, Go and Node.js stream them.

Django reads ``Content-Length`` bytes, and treats a request without that header as empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import IO
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# Larger bodies go to a file, as with Django's uploads.
IN_MEMORY = 2_621_440
PIECE = 65_536


class Measured:
    """Reads a chunked body before the application does, and sets its length.

    Reading stops after ``most`` bytes; the resulting length is then too large for any page or call.
    """

    def __init__(self, application: WSGIApplication, most: int) -> None:
        self.application, self.most = application, most

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application."""
        streamed = environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH")
        # Without this flag the server does not mark the end of the body, and reading could block.
        if not (streamed and environ.get("wsgi.input_terminated")):
            return self.application(environ, start_response)
        with SpooledTemporaryFile(IN_MEMORY) as body:
            length = self._copy(environ["wsgi.input"], body)
            body.seek(0)
            measured = {**environ, "wsgi.input": body, "CONTENT_LENGTH": str(length)}
            del measured["HTTP_TRANSFER_ENCODING"]
            return self.application(measured, start_response)

    def _copy(self, stream: IO[bytes], body: IO[bytes]) -> int:
        length = 0
        while length <= self.most and (piece := stream.read(PIECE)):
            body.write(piece)
            length += len(piece)
        return length
