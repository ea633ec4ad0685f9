"""What curl is told on its standard input: everything that may be a secret."""

from __future__ import annotations

from boxwright.operation.options import Endpoints


def curl_quoted(value: str) -> str:
    """A value as curl's config file takes it; raises ValueError for one that would break a line."""
    if any(ord(letter) < 0x20 for letter in value):
        raise ValueError("a URL, header or proxy option has a control character in it")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def curl_options(url: str, endpoints: Endpoints, headers: tuple[str, ...] = ()) -> str:
    """One URL with its headers and the proxy; raises ValueError as `curl_quoted` does."""
    lines = [f"url = {curl_quoted(url)}"]
    lines += [f"header = {curl_quoted(header)}" for header in headers]
    return "\n".join(lines) + "\n" + curl_proxy_options(endpoints)


def curl_proxy_options(endpoints: Endpoints) -> str:
    """The part that names the proxy; empty without one."""
    if not endpoints.proxy_url:
        return ""
    return (
        f"proxy = {curl_quoted(endpoints.proxy_url)}\n"
        f"noproxy = {curl_quoted(endpoints.proxy_exceptions)}\n"
    )
