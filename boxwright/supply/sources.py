"""Source trees of llama.cpp and its forks: whether GitHub's API, or a mirror of it, has a ref."""

from __future__ import annotations

from urllib.parse import quote

from boxwright.supply.http import Session
from boxwright.supply.releases import ACCEPT, OPTION
from boxwright.supply.results import Endpoints, SupplyError
from boxwright.supply.server import Server

FOUND = frozenset({200, 301, 302, 303, 307, 308})


def source_url(repository: str, ref: str, endpoints: Endpoints) -> str:
    """Where the API hands out the packed tree of a tag, branch or commit; it redirects."""
    base = endpoints.runtime_release_api_url.rstrip("/")
    return f"{base}/repos/{quote(repository)}/tarball/{quote(ref)}"


def find_source(repository: str, ref: str, endpoints: Endpoints) -> str:
    """The URL of a packed tree that is there; raises SupplyError."""
    url = source_url(repository, ref, endpoints)
    server = Server(
        endpoints.runtime_release_api_url, OPTION, endpoints.proxy_url, endpoints.proxy_exceptions
    )
    with Session(server) as session:
        # a HEAD that is not followed: the tree itself is for the host that compiles it
        path = f"repos/{quote(repository)}/tarball/{quote(ref)}"
        response = session.ask("HEAD", session.url(path), ACCEPT, follow=False)
    if response.status_code in FOUND:
        return url
    if response.status_code == 404:
        raise SupplyError(
            f"{server.name} has no source {ref} of {repository} (HTTP 404)",
            f"correct runtime_build, runtime_repository, the model's fork or {OPTION}",
        )
    raise SupplyError(
        f"{server.name} answered HTTP {response.status_code} for source {ref} of {repository},"
        " needs a redirect or HTTP 200",
        f"run again later, or check {OPTION} and runtime_repository",
    )
