"""The Hub's API and GitHub's releases on 127.0.0.1, as reference/peers.md, F has them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.integration.supply_world import TOKEN, Handler


class HubHandler(Handler):
    """The Hub, and GitHub's releases beside it: their paths do not meet."""

    server_name = "hub"

    def do_GET(self) -> None:
        world, parts = self.world, urlsplit(self.path)
        if world.fail_next:
            status = world.fail_next.pop(0)
            self.answer(status, {}, b"passing trouble")
        elif world.refuse is not None:
            self.answer(world.refuse[0], world.refuse[1])
        elif world.needs_token and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"X-Error-Code": "GatedRepo"})
        elif parts.path.startswith("/repos/"):
            self.release(parts.path)
        elif parts.path.startswith("/api/models/"):
            self.listing(parts.path, parse_qs(parts.query))
        else:
            self.resolve(unquote(parts.path))

    def moved(self, path: str) -> bool:
        world = self.world
        if world.renamed_to is None or f"/{world.repository}/" not in path:
            return False
        self.answer(307, {"Location": path.replace(world.repository, world.renamed_to)})
        return True

    def listing(self, path: str, query: dict[str, list[str]]) -> None:
        world = self.world
        if world.body is not None:
            self.answer(200, {"Content-Type": "text/html"}, world.body)
            return
        if self.moved(path):
            return
        repository, _, revision = path.removeprefix("/api/models/").partition("/tree/")
        files = world.tree(unquote(revision))
        if repository not in (world.repository, world.renamed_to):
            self.answer(401, {"X-Error-Code": "RepoNotFound"})
            return
        if files is None:
            self.answer(404, {"X-Error-Code": "RevisionNotFound"})
            return
        start = int(query.get("cursor", ["0"])[0])
        names = sorted(files)
        page = names[start : start + world.page_entries]
        entries: list[dict[str, Any]] = [{"type": "directory", "oid": "0", "size": 0, "path": "x"}]
        entries += [self.entry(name, files[name]) for name in page]
        headers = {"Content-Type": "application/json"}
        if start + world.page_entries < len(names):
            base = world.link_host or world.hub_url
            following = f"{base}{path}?recursive=true&cursor={start + world.page_entries}"
            headers["Link"] = f'<{following}>; rel="next"'
        self.answer(200, headers, json.dumps(entries).encode())
        if unquote(revision) == "main" and world.move_main_to is not None:
            world.old[world.commit] = world.files
            world.commit, world.files = world.move_main_to
            world.move_main_to = None

    def entry(self, name: str, path: Path) -> dict[str, Any]:
        size = path.stat().st_size
        sha256 = self.world.sha256_of.get(name, hashlib.sha256(name.encode()).hexdigest())
        entry = {"type": "file", "oid": "b" * 40, "size": size, "path": name}
        if sha256 is not None:
            entry["lfs"] = {"oid": sha256, "size": size, "pointerSize": 135}
        return entry

    def resolve(self, path: str) -> None:
        world = self.world
        if self.moved(path):
            return
        repository, _, rest = path.removeprefix("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        files = world.tree(revision)
        if repository not in (world.repository, world.renamed_to):
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
        elif files is None or name not in files:
            self.answer(404, {"X-Error-Code": "EntryNotFound"})
        else:
            signature = f"s{len(world.signed)}"
            world.signed[signature] = (str(files[name]), world.uses_per_signature)
            commit = world.commit if revision == "main" else revision
            headers = {
                "Location": f"{world.storage_url}/{signature}?X-Signature=secret",
                "X-Repo-Commit": commit,
                "X-Linked-Size": str(files[name].stat().st_size),
            }
            self.answer(302, headers)

    def release(self, path: str) -> None:
        world = self.world
        if world.release_answer is not None:
            self.answer(*world.release_answer)
            return
        found = world.releases.get(path.removeprefix("/repos/"))
        if found is None:
            self.answer(404, {}, b'{"message": "Not Found"}')
        else:
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())
