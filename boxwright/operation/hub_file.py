"""A file of the Hub as a host fetches it: its address, and what has to be shown for it."""

from __future__ import annotations

from urllib.parse import quote

from boxwright.operation.options import Endpoints

UNREACHABLE_CURE = (
    "check that the host reaches models_hub_url (or set proxy_url), and that"
    " models_hub_token_file holds a token that may read this repository"
)


def hub_file_url(hub_url: str, repository: str, commit: str, name: str) -> str:
    """Where the Hub gives this file of this commit (it redirects to a signed address)."""
    return f"{hub_url.rstrip('/')}/{quote(repository)}/resolve/{quote(commit)}/{quote(name)}"


def hub_headers(endpoints: Endpoints) -> tuple[str, ...]:
    """What the Hub is told beside the address: the token, if there is one."""
    token = endpoints.hub_token()
    return (f"Authorization: Bearer {token}",) if token else ()
