"""Proxy exceptions, and how long servers ask us to wait."""

from __future__ import annotations

import errno
import socket

import httpx
import pytest

from boxwright.supply import http
from boxwright.supply.http import Session, wait_asked_for_s
from boxwright.supply.results import SupplyError
from boxwright.supply.server import Server, bypasses, without_password


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


@pytest.mark.parametrize(
    ("failure", "told", "asked"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "in 1 attempt (", 1),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "in 4 attempts (", 4),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "in 4 attempts (", 4),
    ],
)
def test_a_name_that_does_not_exist_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, failure: OSError, told: str, asked: int
) -> None:
    """Below httpx, so that its own chain of causes is what is read."""
    names: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        names.append(address[0])
        raise failure

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(http, "RETRY_WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "*")
    server = Server("http://hub.example", "models_hub_url")
    with Session(server) as session, pytest.raises(SupplyError) as raised:
        session.ask("GET", session.url("api"))
    assert names == ["hub.example"] * asked and told in str(raised.value)
