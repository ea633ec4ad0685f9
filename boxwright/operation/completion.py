"""Asking the llama-server of a host, from that host itself, with its key in no argument list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyinfra.api import QuoteString

from boxwright.operation.ask import Ask
from boxwright.operation.curl import curl_quoted

ANY_ADDRESS = frozenset({"", "0.0.0.0", "localhost", "127.0.0.1"})

# curl's settings come first, up to an empty line, then the body: older curls (before 8.1) read no
# setting that is longer than 100 KB, and a long prompt is
_SCRIPT = """\
umask 077
settings=$(mktemp) || exit 1
trap 'rm -f "$settings"' EXIT
trap 'exit 1' HUP INT TERM
while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line"; done >"$settings"
curl --config "$settings" {body}
"""


def ask_host(server_host: str) -> str:
    """The address to ask a server at that listens on this one, from the same host."""
    first = server_host.split(",")[0].strip()
    if first in ANY_ADDRESS:
        return "127.0.0.1"
    if first in ("::", "::1"):
        return "[::1]"
    return f"[{first}]" if ":" in first else first


def server_ask(url: str, body: Mapping[str, object] | None, timeout_s: int, key: str | None) -> Ask:
    """The command that posts a JSON body to the server, or gets a page, and prints its answer."""
    lines = [
        "silent",
        "show-error",
        f"max-time = {timeout_s}",
        f"url = {curl_quoted(url)}",
        f"header = {curl_quoted('Content-Type: application/json')}",
        'noproxy = "*"',
    ]
    if key is not None:
        lines.append(f"header = {curl_quoted('Authorization: Bearer ' + key)}")
    told = "\n".join([*lines, "", "" if body is None else json.dumps(body)])
    script = _SCRIPT.replace("{body}", "" if body is None else "--data-binary @-")
    return Ask("sh", "-c", QuoteString(script), _stdin=told, _timeout=timeout_s + 30)


def timings_of(answer: str) -> Mapping[str, Any] | str:
    """The `timings` of a completion's answer, or what the server said instead."""
    document = answer_of(answer)
    if isinstance(document, str):
        return document
    timings = document.get("timings")
    if isinstance(timings, dict) and timings.get("predicted_n"):
        return timings
    return answer.strip()[:200]


def decode_tok_s(timings: Mapping[str, Any]) -> float:
    """Tokens per second after the first one; 0 where that cannot be told.

    llama-server starts its clock when the first token is there and divides all of them by it.
    """
    tokens, time_ms = int(timings.get("predicted_n") or 0), float(timings.get("predicted_ms") or 0)
    if tokens < 2 or time_ms <= 0:
        return 0.0
    return round((tokens - 1) * 1000 / time_ms, 3)


def answer_of(answer: str) -> Mapping[str, Any] | str:
    """A JSON object that the server answered with; for anything else, and an error, its words."""
    try:
        document = json.loads(answer)
    except ValueError:
        return answer.strip()[:200] or "nothing"
    if not isinstance(document, dict):
        return answer.strip()[:200]
    error = document.get("error")
    if error is not None:
        return str(error.get("message", error)) if isinstance(error, dict) else str(error)
    return document
