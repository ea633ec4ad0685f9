"""A server that is asked over HTTP: its base URL, the proxy to it, and how sentences call it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import httpx

from boxwright.supply.results import SupplyError


@dataclass(frozen=True)
class Server:
    """A server that is asked: its base URL, and the option that names it, for error sentences.

    `token` is sent to this origin only, never to a host it redirects to.
    """

    url: str
    option: str
    proxy_url: str | None = None
    proxy_exceptions: str = ""
    token: str | None = None

    def __post_init__(self) -> None:
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise SupplyError(
                f"{self.option} is '{self.url}', needs a URL that begins with http:// or https://",
                f"correct {self.option} in the inventory's data",
            )

    @property
    def name(self) -> str:
        """How sentences call it."""
        return without_password(self.url).rstrip("/")


def without_password(url: str) -> str:
    """A URL as it may be shown: without a user and password in it."""
    scheme, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"


def bypasses(host: str, exceptions: str) -> bool:
    """Whether a host is asked without the proxy: names, domains (`.lan`, `lan`), IPs, networks."""
    for one in (part.strip().lower() for part in exceptions.split(",")):
        if not one:
            continue
        if one == "*" or host.lower() == one or host.lower().endswith("." + one.lstrip("*.")):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(one, strict=False):
                return True
        except ValueError:  # names are no addresses
            continue
    return False
