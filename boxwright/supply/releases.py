"""The assets of a llama.cpp release, from the GitHub releases API or a mirror that speaks it.

Upstream attaches no checksum files; the API's `digest` is the sha256 (reference/llama-cpp.md, 1.2).
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from boxwright.supply.http import Session, wait_asked_for_s
from boxwright.supply.results import Endpoints, ReleaseAsset, SupplyError
from boxwright.supply.server import Server

ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
SHA256 = re.compile(r"sha256:([0-9a-f]{64})", re.IGNORECASE)
OPTION = "runtime_release_api_url"


def find_assets(build: str, names: Sequence[str], endpoints: Endpoints) -> tuple[ReleaseAsset, ...]:
    """The named assets of a release, in that order; raises SupplyError."""
    server = Server(
        endpoints.runtime_release_api_url, OPTION, endpoints.proxy_url, endpoints.proxy_exceptions
    )
    repository = endpoints.runtime_repository
    with Session(server) as session:
        path = f"repos/{quote(repository)}/releases/tags/{quote(build, safe='')}"
        response = session.ask("GET", session.url(path), ACCEPT)
    if response.status_code != 200:
        raise _refused(response, server, repository, build)
    listed = _listed(response, server)
    missing = [name for name in names if name not in listed]
    if missing:
        there = ", ".join(sorted(listed)) or "none"
        raise SupplyError(
            f"release {build} of {repository} has no asset {', '.join(missing)};"
            f" the assets that are there: {there}",
            "choose a build that has it with runtime_build, or describe the ones that are there"
            " in runtime_asset_rows",
        )
    return tuple(_asset(listed[name], build) for name in names)


def _listed(response: httpx.Response, server: Server) -> dict[str, dict[str, Any]]:
    try:
        return {str(row["name"]): dict(row) for row in response.json()["assets"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SupplyError(
            f"{server.name} answered with something that is no release"
            f" (it begins '{response.text[:40]!s}'), needs the GitHub releases API",
            f"correct {OPTION}",
        ) from error


def _asset(row: dict[str, Any], build: str) -> ReleaseAsset:
    digest = SHA256.fullmatch(str(row.get("digest")))
    size, url = row.get("size"), row.get("browser_download_url")
    if digest is None or not isinstance(size, int) or not isinstance(url, str):
        raise SupplyError(
            f"asset {row['name']} of release {build} is listed with digest {row.get('digest')},"
            f" size {size} and URL {url}; needs a sha256, a size and a URL",
            f"choose another build, or a mirror that gives them with {OPTION}",
        )
    if row.get("state", "uploaded") != "uploaded":
        raise SupplyError(
            f"asset {row['name']} of release {build} is in state '{row['state']}',"
            " needs 'uploaded': the release is still being made",
            "run again in some minutes, or choose an older build with runtime_build",
        )
    return ReleaseAsset(str(row["name"]), url, size, digest[1].lower())


def _refused(response: httpx.Response, server: Server, repository: str,
             build: str) -> SupplyError:  # fmt: skip
    status = response.status_code
    if status == 404:
        return SupplyError(
            f"{server.name} knows no release {build} of {repository} (HTTP 404)",
            f"correct runtime_build, runtime_repository or {OPTION}",
        )
    if status in (403, 429) and _limited(response):
        return SupplyError(
            f"{server.name} limits requests (HTTP {status}, none left), needs one",
            f"run again in {_minutes_left(response)}, or name a mirror with {OPTION}",
        )
    return SupplyError(
        f"{server.name} answered HTTP {status} for release {build} of {repository}, needs HTTP 200",
        f"run again later, or check {OPTION} and runtime_repository",
    )


def _limited(response: httpx.Response) -> bool:
    headers = response.headers
    return response.status_code == 429 or headers.get("x-ratelimit-remaining") == "0" or (
        "retry-after" in headers
    )  # fmt: skip


def _minutes_left(response: httpx.Response) -> str:
    wait_s = wait_asked_for_s(response)
    reset = response.headers.get("x-ratelimit-reset", "")
    if wait_s is None and reset.isdigit():
        wait_s = max(int(reset) - time.time(), 0)
    return "an hour" if wait_s is None else f"{int(wait_s // 60) + 1} minutes"
