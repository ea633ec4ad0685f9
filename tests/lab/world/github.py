"""A server that speaks GitHub's API of releases and sources: `python -m tests.lab.world.github`.

A release is a directory OWNER/NAME/TAG under the root with an `assets.json`. Downloads go, as at
GitHub, through a redirect to a second host (here a second port): assets with a link that expires,
sources with a plain one. They lie in `sources` beside the root once one was asked for.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.lab.world import sources
from tests.lab.world.transfer import AccessLog, Signer
from tests.lab.world.web import Handler, Server, arguments, serve

MANIFEST = "assets.json"
LINK_LIFETIME_S = 300.0
NOT_FOUND = {
    "message": "Not Found",
    "documentation_url": "https://docs.github.com/rest/releases/releases",
    "status": "404",
}
NO_SUCH_SOURCE = {
    **NOT_FOUND,
    "documentation_url": "https://docs.github.com/rest/repos/contents"
    "#download-a-repository-archive-tar",
}


class _ReleasePart(Handler):
    def __init__(self, *args: Any, root: Path, signer: Signer, log: AccessLog) -> None:
        self.root, self.signer, self.log = root, signer, log
        super().__init__(*args)


class ApiHandler(_ReleasePart):
    """The API, and the download addresses it hands out."""

    service = "release"

    def respond(self, path: str, query: dict[str, str]) -> None:
        """Find the route of a request."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if any(part in ("", ".", "..") for part in parts):
            self.reply_json(NOT_FOUND, 404)
        elif parts[:1] == ["repos"] and len(parts) >= 4 and parts[3] == "releases":
            self._api(self.root / parts[1] / parts[2], f"{parts[1]}/{parts[2]}", parts[4:])
        elif len(parts) >= 5 and parts[0] == "repos" and parts[3] == "tarball":
            self._source(f"{parts[1]}/{parts[2]}", "/".join(parts[4:]))
        elif len(parts) == 6 and parts[2:4] == ["releases", "download"]:
            self._download(parts[0], parts[1], parts[4], parts[5])
        else:
            self.reply_json(NOT_FOUND, 404)

    def _api(self, repository: Path, name: str, rest: list[str]) -> None:
        found = (path.parent.name for path in repository.glob(f"*/{MANIFEST}"))
        tags = sorted(found, key=_number, reverse=True)
        if rest == [] and tags:
            self.reply_json([self._release(repository, name, tag) for tag in tags])
        elif rest == ["latest"] and tags:
            self.reply_json(self._release(repository, name, tags[0]))
        elif len(rest) == 2 and rest[0] == "tags" and rest[1] in tags:
            self.reply_json(self._release(repository, name, rest[1]))
        else:
            self.reply_json(NOT_FOUND, 404)

    def _release(self, repository: Path, name: str, tag: str) -> dict[str, Any]:
        base = f"http://{self.headers['Host']}"
        manifest = json.loads((repository / tag / MANIFEST).read_text())
        assets = [
            {
                "id": number,
                "name": asset["name"],
                "content_type": "application/gzip",
                "state": "uploaded",
                "size": asset["size"],
                "digest": f"sha256:{asset['sha256']}",
                "browser_download_url": f"{base}/{name}/releases/download/{tag}/{asset['name']}",
            }
            for number, asset in enumerate(manifest["assets"], start=1)
        ]
        return {
            "id": _number(tag),
            "tag_name": tag,
            "name": tag,
            "draft": False,
            "prerelease": True,
            "html_url": f"{base}/{name}/releases/tag/{tag}",
            "assets": assets,
        }

    def _source(self, repository: str, ref: str) -> None:
        tag = ref.removeprefix("refs/tags/")
        if not sources.is_known(repository, tag):
            self.reply_json(NO_SUCH_SOURCE, 404)
            return
        location = f"{self.signer.base_url}/{repository}/legacy.tar.gz/refs/tags/{tag}"
        self.reply(302, b"", "text/html;charset=utf-8", {"Location": location})

    def _download(self, owner: str, name: str, tag: str, asset: str) -> None:
        if not (self.root / owner / name / tag / asset).is_file():
            self.reply(404, b"Not Found", "text/plain; charset=utf-8")
            return
        self.redirect(self.signer.url(f"/{owner}/{name}/{tag}/{asset}"))


class DownloadHandler(_ReleasePart):
    """The second port: the bytes of assets and sources."""

    service = "assets"

    def respond(self, path: str, query: dict[str, str]) -> None:
        """Send the asset or the source that a link stands for."""
        parts = unquote(path).strip("/").split("/")
        if parts[2:3] == ["legacy.tar.gz"]:
            self._source("/".join(parts[:2]), "/".join(parts[3:]).removeprefix("refs/tags/"))
            return
        denied = self.signer.refusal(unquote(path), query)
        if denied:
            self.reply_denied(denied)
            return
        file = self.root / unquote(path).lstrip("/")
        self.reply_file(file, {"Content-Disposition": f"attachment; filename={file.name}"})

    def _source(self, repository: str, tag: str) -> None:
        if not sources.is_known(repository, tag):
            self.reply(404, b"404: Not Found", "text/plain; charset=utf-8")
            return
        found = sources.source(self.root.with_name("sources"), repository, tag)
        named = {"Content-Disposition": f"attachment; filename={found.archive.name}"}
        self.reply_whole(found.archive, "application/x-gzip", named | {"ETag": f'"{found.commit}"'})


def _number(tag: str) -> int:
    digits = "".join(character for character in tag if character.isdigit())
    return int(digits or 0)


def servers(
    root: Path, listen: tuple[str, int], log: Path | None = None,
    link_lifetime_s: float = LINK_LIFETIME_S,
) -> tuple[Server, Server]:  # fmt: skip
    """The API server, and the download server on the next port; not started yet."""
    host, port = listen
    signer = Signer("", link_lifetime_s)
    known: dict[str, Any] = {"root": root.resolve(), "signer": signer, "log": AccessLog(log)}
    download = Server((host, port + 1 if port else 0), partial(DownloadHandler, **known))
    signer.base_url = f"http://{host}:{download.server_address[1]}"
    return Server(listen, partial(ApiHandler, **known)), download


if __name__ == "__main__":
    options = arguments("speaks GitHub's API of releases and sources").parse_args()
    serve(*servers(options.root, options.listen, options.log))
