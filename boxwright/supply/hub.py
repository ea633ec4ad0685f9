"""Asking the Hugging Face Hub, or a mirror, what a repository holds (reference/peers.md, F)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from boxwright.plan.known import ModelChoice
from boxwright.supply.http import MAX_REDIRECTS, REDIRECTS, Session
from boxwright.supply.quants import Listed
from boxwright.supply.refusals import hub_refused
from boxwright.supply.results import Endpoints, SupplyError
from boxwright.supply.server import Server
from boxwright.supply.stamps import COMMIT

OPTION = "models_hub_url"
MAX_PAGES = 100  # of 1000 entries each


def hub_server(endpoints: Endpoints) -> Server:
    """The Hub as the endpoints describe it, with the token; raises SupplyError."""
    return Server(
        endpoints.models_hub_url,
        OPTION,
        endpoints.proxy_url,
        endpoints.proxy_exceptions,
        _token(endpoints),
    )


def _token(endpoints: Endpoints) -> str | None:
    try:
        token = endpoints.hub_token()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SupplyError(
            f"the token file {endpoints.models_hub_token_file} cannot be read ({why})",
            "correct models_hub_token_file, or remove it for public repositories",
        ) from error
    if token is not None and not (token and token.isascii() and token.isprintable()):
        raise SupplyError(
            f"the first line of {endpoints.models_hub_token_file} is no token, needs one of"
            " printable ASCII characters",
            "put the Hub token alone on the first line of that file",
        )
    return token


class Hub:
    """One repository of one Hub, at one revision that becomes a commit."""

    def __init__(self, session: Session, choice: ModelChoice) -> None:
        self.session = session
        self.choice = choice

    def files(self, revision: str) -> list[Listed]:
        """Every file of a revision, over all pages of the listing."""
        repository = quote(self.choice.repository)
        url = self.session.url(
            f"api/models/{repository}/tree/{quote(revision, safe='')}?recursive=true"
        )
        files: list[Listed] = []
        for _ in range(MAX_PAGES):
            response = self.session.ask("GET", url)
            if response.status_code != 200:
                raise hub_refused(response, self.session.server, self.choice)
            files += self._entries(response)
            following = response.links.get("next", {}).get("url")
            if following is None:
                return files
            url = self._on_this_hub(response.url.join(following))
        raise SupplyError(
            f"{self.choice.repository} lists more than {MAX_PAGES} pages of files, needs fewer",
            f"check {OPTION}",
        )

    def _on_this_hub(self, url: httpx.URL) -> httpx.URL:
        """A mirror's pages may link to the original Hub; the next page is the mirror's own."""
        prefix = self.session.base.path.rstrip("/")
        path = url.raw_path.decode()
        return self.session.url(path.removeprefix(prefix))

    def _entries(self, response: httpx.Response) -> list[Listed]:
        try:
            entries = response.json()
            return [self._listed(entry) for entry in entries if entry["type"] == "file"]
        except (ValueError, KeyError, TypeError) as error:
            raise SupplyError(
                f"{self.session.server.name} answered with something that is no file listing"
                f" (it begins '{response.text[:40]}'), needs the Hub's API",
                f"correct {OPTION}",
            ) from error

    @staticmethod
    def _listed(entry: dict[str, Any]) -> Listed:
        lfs = entry.get("lfs") or {}
        sha256 = lfs.get("oid")
        return Listed(
            path=str(entry["path"]),
            size_bytes=int(lfs.get("size", entry["size"])),
            sha256=str(sha256).removeprefix("sha256:").lower() if sha256 else None,
        )

    def commit(self, name: str) -> str:
        """The commit that the wanted revision is at now, as the Hub says of one of its files."""
        if COMMIT.fullmatch(self.choice.revision):
            return self.choice.revision
        response = self.resolved(self.choice.revision, name)
        commit = str(response.headers.get("x-repo-commit", ""))
        if not COMMIT.fullmatch(commit):
            raise SupplyError(
                f"{self.session.server.name} names no commit for revision {self.choice.revision}"
                f" of {self.choice.repository} (X-Repo-Commit is '{commit}'), needs one",
                f"pin a commit as the model's revision in models_catalog, or check {OPTION}",
            )
        return commit

    def resolved(self, revision: str, name: str) -> httpx.Response:
        """The Hub's word on one file: its headers, and usually a redirect to where it is stored.

        Only redirects within the Hub (a renamed repository) are followed.
        """
        url = self.resolve_url(revision, name)
        for _ in range(MAX_REDIRECTS):
            response = self.session.ask("HEAD", url, follow=False)
            if response.status_code >= 400:
                raise hub_refused(response, self.session.server, self.choice)
            url = url.join(response.headers.get("location", ""))
            elsewhere = not self.session.same_origin(url)
            moved = response.status_code in REDIRECTS
            if not moved or elsewhere or "x-repo-commit" in response.headers:
                return response
        raise SupplyError(
            f"{self.session.server.name} redirected {MAX_REDIRECTS} times for {name}",
            f"check {OPTION}",
        )

    def resolve_url(self, revision: str, name: str) -> httpx.URL:
        """Where a file is fetched; redirects to a signed URL of another host."""
        return self.session.url(
            f"{quote(self.choice.repository)}/resolve/{quote(revision, safe='')}/{quote(name)}"
        )
