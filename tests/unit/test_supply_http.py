"""Proxy exceptions, and how long servers ask us to wait."""

from __future__ import annotations

import httpx
import pytest

from boxwright.supply.http import (
    Server,
    Session,
    bypasses,
    wait_asked_for_s,
    without_password,
)


@pytest.mark.parametrize(
    ("host", "exceptions", "expected"),
    [
        ("127.0.0.1", "localhost,127.0.0.1", True),
        ("localhost", "localhost, 127.0.0.1", True),
        ("hub.lan", ".lan", True),
        ("hub.lan", "lan", True),
        ("hub.lan", "*.lan", True),
        ("hub.plan", "lan", False),
        ("HUB.lan", "hub.LAN", True),
        ("10.77.0.1", "10.77.0.0/24", True),
        ("10.78.0.1", "10.77.0.0/24", False),
        ("10.77.0.1", "10.7", False),
        ("anything", "*", True),
        ("anything", "", False),
        ("anything", " , ,", False),
    ],
)
def test_proxy_exceptions(host: str, exceptions: str, expected: bool) -> None:
    assert bypasses(host, exceptions) is expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (503, {"Retry-After": "7"}, 7.0),
        (429, {"RateLimit": '"api";r=0;t=123'}, 123.0),
        (200, {"RateLimit": '"api";r=499;t=123'}, None),
        (429, {"Retry-After": "Mon, 23 Nov 2026 20:00:00 GMT"}, None),
        (500, {}, None),
    ],
)
def test_waits_that_servers_ask_for(
    status: int, headers: dict[str, str], expected: float | None
) -> None:
    assert wait_asked_for_s(httpx.Response(status, headers=headers)) == expected


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://hub.example/other/path", True),
        ("https://hub.example:443/x", True),
        ("http://hub.example/x", False),
        ("https://hub.example:8443/x", False),
        ("https://cdn.hub.example/x", False),
        ("https://hub.example.evil/x", False),
    ],
)
def test_who_may_see_the_token(url: str, same: bool) -> None:
    with Session(Server("https://hub.example/prefix/", "models_hub_url", token="t")) as session:
        assert session.same_origin(httpx.URL(url)) is same
        assert ("Authorization" in session._headers(httpx.URL(url), {})) is same
        assert str(session.url("api/x?y=1")) == "https://hub.example/prefix/api/x?y=1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@proxy.lan:3128", "http://proxy.lan:3128"),
        ("http://user:s@cret@proxy.lan/x@y", "http://proxy.lan/x@y"),
        ("https://hub.example/prefix", "https://hub.example/prefix"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_passwords_in_urls_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
