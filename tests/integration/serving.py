"""Servers of this process: each in a thread of its own, gone when their block ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import HTTPServer

SHUTDOWN_POLL_S = 0.01


@contextmanager
def running(*servers: HTTPServer) -> Iterator[str]:
    """Serve from threads until the end of the block; the URL of the first server."""
    with ExitStack() as ends:
        for server in servers:
            thread = threading.Thread(target=server.serve_forever, args=(SHUTDOWN_POLL_S,))
            thread.start()
            # in the end the other way round: no more requests, no more socket, then its thread
            ends.callback(thread.join)
            ends.callback(server.server_close)
            ends.callback(server.shutdown)
        yield url_of(servers[0])


def url_of(server: HTTPServer) -> str:
    """Where a server on this machine is asked."""
    return f"http://127.0.0.1:{server.server_port}"
