"""A server that speaks the Hub's API. Run as `python -m tests.lab.world.hub`.

Routes and headers: reference/peers.md, section F. A repository is a directory OWNER/NAME under the
root with a `repository.json`; weights are served from a second port under links that expire.
A faults file, read at every request, makes repositories fail on purpose (see repositories.Rules).
"""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from tests.lab.world.repositories import Repositories, Rules, entries, lfs
from tests.lab.world.transfer import AccessLog, Signer
from tests.lab.world.web import Handler, Server, arguments, serve

PAGE_SIZE = 1000


class _HubPart(Handler):
    """What both ports know: the repositories, and who signs links."""

    def __init__(self, *args: Any, repositories: Repositories, signer: Signer, log: AccessLog):
        self.repositories, self.signer, self.log = repositories, signer, log
        super().__init__(*args)


class HubHandler(_HubPart):
    """The API and the resolver."""

    service = "hub"

    def respond(self, path: str, query: dict[str, str]) -> None:
        """Find the route of a request."""
        self.request_id = secrets.token_hex(8)
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            name, rest, route = "/".join(parts[2:4]), parts[4:], self._api
        elif len(parts) >= 5 and parts[2] == "resolve":
            name, rest, route = "/".join(parts[:2]), parts[3:], self._resolve
        else:
            self._refuse(404, "", "Sorry, we can't find the page you are looking for.")
            return
        rules = self.repositories.rules(name)
        directory = self.repositories.directory(name)
        if rules.status:
            self._refuse(rules.status, "", "Internal Error - We're working hard to fix this")
        elif directory is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
        else:
            route(name, directory, rest, query)

    def _refuse(self, status: int, code: str, message: str) -> None:
        headers = {"X-Request-Id": self.request_id, "X-Error-Message": message}
        if code:
            headers["X-Error-Code"] = code
        self.reply_json({"error": message}, status, headers)

    def _known_revision(self, manifest: dict[str, Any], revision: str) -> bool:
        if revision in ("main", manifest["commit"]):
            return True
        self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return False

    def _api(self, name: str, directory: Path, rest: list[str], query: dict[str, str]) -> None:
        manifest = self.repositories.manifest(directory)
        action, *more = rest or ["revision", "main"]
        if action == "revision" and len(more) == 1:
            if self._known_revision(manifest, more[0]):
                self.reply_json(self._model(name, manifest, "blobs" in query))
        elif action == "tree" and more:
            if self._known_revision(manifest, more[0]):
                self._tree(name, manifest, more, query)
        else:
            self._refuse(404, "", "Sorry, we can't find the page you are looking for.")

    def _model(self, name: str, manifest: dict[str, Any], blobs: bool) -> dict[str, Any]:
        siblings = []
        for file in manifest["files"]:
            sibling: dict[str, Any] = {"rfilename": file["path"]}
            if blobs:
                sibling |= {"size": file["size"], "blobId": file["oid"]}
                if file["sha256"]:
                    sibling["lfs"] = lfs(file) | {"sha256": file["sha256"]}
            siblings.append(sibling)
        return {
            "id": name,
            "modelId": name,
            "author": name.partition("/")[0],
            "sha": manifest["commit"],
            "private": False,
            "gated": "manual" if self.repositories.rules(name).gated else False,
            "tags": ["gguf"],
            "siblings": siblings,
        }

    def _tree(
        self, name: str, manifest: dict[str, Any], more: list[str], query: dict[str, str]
    ) -> None:
        revision, folder = more[0], "/".join(more[1:])
        recursive = query.get("recursive", "").lower() in ("true", "1")
        rows = entries(manifest["files"], folder, recursive)
        if folder and not rows:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist on {revision!r}")
            return
        limit = min(int(query.get("limit", PAGE_SIZE)), PAGE_SIZE)
        start = int(query.get("cursor", 0))
        headers = {"X-Request-Id": self.request_id}
        if start + limit < len(rows):
            following = query | {"limit": str(limit), "cursor": str(start + limit)}
            address = f"http://{self.headers['Host']}{self.path.partition('?')[0]}"
            headers["Link"] = f'<{address}?{urlencode(following)}>; rel="next"'
        self.reply_json(rows[start : start + limit], headers=headers)

    def _resolve(self, name: str, directory: Path, rest: list[str], query: dict[str, str]) -> None:
        manifest = self.repositories.manifest(directory)
        rules = self.repositories.rules(name)
        if rules.gated and not self._may_read(name, rules):
            return
        revision, wanted = rest[0], "/".join(rest[1:])
        if not self._known_revision(manifest, revision):
            return
        file = next((file for file in manifest["files"] if file["path"] == wanted), None)
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": manifest["commit"], "X-Request-Id": self.request_id}
        if file["sha256"] is None:
            self.reply_file(directory / wanted, headers | {"ETag": f'"{file["oid"]}"'})
            return
        url = self.signer.url(f"/{name}/{wanted}", rules.expire_s)
        linked = {"X-Linked-Size": str(file["size"]), "X-Linked-Etag": f'"{file["sha256"]}"'}
        self.redirect(url, headers | linked)

    def _may_read(self, name: str, rules: Rules) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given and given == rules.token:
            return True
        status = 403 if given else 401
        page = f"http://{self.headers['Host']}/{name}"
        message = f"Access to model {name} is restricted. "
        message += "You must have access to it and be authenticated to access it. Please log in."
        if given:
            message = f"Your request to access model {name} is awaiting a review: visit {page}"
        self._refuse(status, "GatedRepo", message)
        return False


class ContentHandler(_HubPart):
    """The second port: the weights themselves, under signed links."""

    service = "cdn"

    def respond(self, path: str, query: dict[str, str]) -> None:
        """Send the bytes that a link stands for."""
        denied = self.signer.refusal(unquote(path), query)
        owner, repository, file = unquote(path).strip("/").split("/", 2)
        directory = self.repositories.directory(f"{owner}/{repository}")
        if denied or directory is None:
            self.reply_denied(denied or "Access Denied")
            return
        files = self.repositories.manifest(directory)["files"]
        (sha256,) = (entry["sha256"] for entry in files if entry["path"] == file)
        fault = self.repositories.rules(f"{owner}/{repository}").fault
        self.reply_file(directory / file, {"ETag": f'"{sha256}"'}, fault)


def servers(
    root: Path,
    listen: tuple[str, int],
    log: Path | None = None,
    faults: Path | None = None,
    link_lifetime_s: float = 3600,
) -> tuple[Server, Server]:
    """The API server, and the content server on the next port; not started yet."""
    host, port = listen
    content_listen = (host, port + 1 if port else 0)
    access_log = AccessLog(log)
    repositories = Repositories(root, faults)
    signer = Signer("", link_lifetime_s)
    known: dict[str, Any] = {"repositories": repositories, "signer": signer, "log": access_log}
    content = Server(content_listen, partial(ContentHandler, **known))
    signer.base_url = f"http://{host}:{content.server_address[1]}"
    return Server(listen, partial(HubHandler, **known)), content


if __name__ == "__main__":
    parser = arguments("speaks the Hub's API")
    parser.add_argument("--faults", type=Path)
    parser.add_argument("--link-lifetime-s", type=float, default=3600)
    options = parser.parse_args()
    serve(
        *servers(options.root, options.listen, options.log, options.faults, options.link_lifetime_s)
    )
