"""A web server on 127.0.0.1 for tests of downloads: serves bytes from memory, honours ranges, breaks off on request."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `files` at `url`; a path listed in `cut_off` breaks off in the middle as many times as its number."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut_off: dict[str, int] = {}
        self.ranges = True
        self.lengths = True
        """Whether answers tell their length; else they come as chunks."""
        self.requests: list[tuple[str, str | None]] = []
        """Path and Range header of every request, in order."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            do_HEAD = do_POST = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                """Keep the terminal clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()
        self.running = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Send what a file server would send, or half of it."""
        self.requests.append((request.path, request.headers["Range"]))
        content = self.files.get(request.path)
        if content is None:
            request.send_error(HTTPStatus.NOT_FOUND)
        else:
            self.send(request, content, {})

    def send(self, request: BaseHTTPRequestHandler, content: bytes, headers: Mapping[str, str]) -> None:
        """Send the content from where the request asks for it; the length alone to a HEAD request."""
        asked = request.headers["Range"]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start and start >= len(content):
            request.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        rest = content[start:]
        request.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        length = ("Content-Length", str(len(rest))) if self.lengths else ("Transfer-Encoding", "chunked")
        for header in (length, *headers.items()):
            request.send_header(*header)
        request.end_headers()
        if request.command == "HEAD":
            return
        if not self.lengths:
            rest = b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest)
        breaks = self.cut_off.get(request.path, 0)
        if breaks:
            self.cut_off[request.path] = breaks - 1
            rest = rest[: len(rest) // 2]
        request.wfile.write(rest)

    def stop(self) -> None:
        """Stop answering; the address is then one that nobody answers."""
        self.running = False
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
