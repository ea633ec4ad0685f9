"""Asking one server over HTTP: proxy, token, redirects, and a bounded number of retries."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from boxwright.supply.results import SupplyError
from boxwright.supply.server import Server, bypasses, without_password

RETRY_WAITS_S = (0.5, 1.0, 2.0)
LONGEST_WAIT_S = 10.0
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PASSING = frozenset({429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5

# these would log signed URLs, which open what they name, to whoever reads a debug log
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Session:
    """Requests to one server and to where it redirects. A context manager."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.base = httpx.URL(server.url.rstrip("/"))
        common: dict[str, Any] = {
            "timeout": TIMEOUT,
            "follow_redirects": False,
            "headers": {"User-Agent": "boxwright", "Accept-Encoding": "identity"},
        }
        try:
            proxy = server.proxy_url or None
            # without the option, the environment's HTTP_PROXY and NO_PROXY hold, as everywhere
            self.client = httpx.Client(proxy=proxy, trust_env=proxy is None, **common)
            self.direct = httpx.Client(trust_env=False, **common) if proxy else self.client
        except (ValueError, httpx.InvalidURL) as error:
            raise SupplyError(
                f"proxy_url is '{without_password(server.proxy_url or '')}', needs a URL such as http://10.0.0.1:3128",
                "correct proxy_url in the inventory's data",
            ) from error

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.direct.close()

    def url(self, path: str) -> httpx.URL:
        """A path below the base URL."""
        return httpx.URL(f"{str(self.base).rstrip('/')}/{path.lstrip('/')}")

    def same_origin(self, url: httpx.URL) -> bool:
        """Whether this is the server itself, which alone may see the token."""
        return (url.scheme, url.host, url.port) == (
            self.base.scheme,
            self.base.host,
            self.base.port,
        )

    def ask(self, method: str, url: httpx.URL, headers: dict[str, str] | None = None,
            *, follow: bool = True) -> httpx.Response:  # fmt: skip
        """The response, read whole, after retries and redirects; its status may be an error.

        Raises SupplyError if the server cannot be reached.
        """
        for _ in range(MAX_REDIRECTS + 1):
            response = self._retried(method, url, headers or {})
            if not (
                follow and response.status_code in REDIRECTS and "location" in response.headers
            ):
                return response
            url = url.join(response.headers["location"])
        raise SupplyError(
            f"{self.server.name} redirected more than {MAX_REDIRECTS} times, needs an answer",
            f"check {self.server.option}",
        )

    @contextmanager
    def stream(self, url: httpx.URL, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """One GET whose body is read by the caller; no retries, httpx errors come through."""
        client = self._client_for(url)
        with client.stream("GET", url, headers=self._headers(url, headers)) as response:
            yield response

    def _retried(self, method: str, url: httpx.URL, headers: dict[str, str]) -> httpx.Response:
        for attempt, wait_s in enumerate((*RETRY_WAITS_S, None), 1):
            try:
                response = self._client_for(url).request(
                    method, url, headers=self._headers(url, headers)
                )
            except (httpx.TransportError, httpx.DecodingError) as error:
                if wait_s is None or is_unknown_name(error):
                    raise self.unreachable(url, error, attempt) from error
                time.sleep(wait_s)
                continue
            asked_wait_s = wait_asked_for_s(response) or 0.0
            passing = response.status_code in PASSING and asked_wait_s <= LONGEST_WAIT_S
            if not passing or wait_s is None:
                return response
            time.sleep(max(wait_s, asked_wait_s))
        raise AssertionError("the last attempt returns or raises")

    def unreachable(self, url: httpx.URL, error: Exception, attempts: int) -> SupplyError:
        """The error for a server that does not answer at all."""
        at = f"{url.scheme}://{url.netloc.decode()}"
        why = str(error) or type(error).__name__
        tried = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        proxy = without_password(self.server.proxy_url or "")
        through = f" through proxy_url {proxy}" if proxy else ""
        return SupplyError(
            f"{at} could not be reached{through} in {tried} ({why})",
            f"check the network of this machine, {self.server.option} and proxy_url,"
            " or name a mirror there",
        )

    def _headers(self, url: httpx.URL, headers: dict[str, str]) -> dict[str, str]:
        if self.server.token and self.same_origin(url):
            return {**headers, "Authorization": f"Bearer {self.server.token}"}
        return headers

    def _client_for(self, url: httpx.URL) -> httpx.Client:
        return self.direct if bypasses(url.host, self.server.proxy_exceptions) else self.client


def is_unknown_name(error: BaseException) -> bool:
    """Whether a name was asked that does not exist, which asking again does not change.

    A failure in name resolution that is temporary (EAI_AGAIN) is not meant.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
        cause = cause.__cause__ or cause.__context__
    return False


def wait_asked_for_s(response: httpx.Response) -> float | None:
    """How long the server wants us to wait: `Retry-After`, or the `t` of the Hub's `RateLimit`."""
    retry_after = response.headers.get("retry-after", "")
    if retry_after.isdigit():
        return float(retry_after)
    if response.status_code == 429:
        for part in response.headers.get("ratelimit", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == "t" and value.isdigit():
                return float(value)
    return None
