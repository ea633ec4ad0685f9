"""The archive server: the apt repositories as plain files. `python -m tests.lab.world.static`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.lab.world.transfer import AccessLog
from tests.lab.world.web import Handler, Server, arguments, serve


class StaticHandler(Handler):
    """Files under one directory, with ranges and Last-Modified."""

    service = "archive"

    def __init__(self, *args: Any, root: Path, log: AccessLog) -> None:
        self.root, self.log = root, log
        super().__init__(*args)

    def respond(self, path: str, query: dict[str, str]) -> None:
        """Send the file, or 404."""
        file = (self.root / unquote(path).lstrip("/")).resolve()
        if not file.is_relative_to(self.root) or not file.is_file():
            self.reply(404, b"404 Not Found\n", "text/plain")
            return
        self.reply_file(file, {"Last-Modified": self.date_time_string(file.stat().st_mtime)})


def server(root: Path, listen: tuple[str, int], log: Path | None) -> Server:
    """A server of these files; not started yet."""
    return Server(listen, partial(StaticHandler, root=root.resolve(), log=AccessLog(log)))


if __name__ == "__main__":
    options = arguments("serves the lab's apt repositories").parse_args()
    serve(server(options.root, options.listen, options.log))
