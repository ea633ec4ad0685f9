"""Files from the internet to a host: resumed, shown, checked, then renamed into place.

curl on the host does the work, in pieces of a bounded time: between two of them the body logs how
far it is, a signed URL is asked for anew before it can expire, and what a killed run left running
ends by itself. The kernel's lock on the `.part` file keeps two curls from writing to it.

curl and not aria2: aria2 sends the Authorization header on to the host that the Hub redirects to,
curl keeps it to the host it was given for. URL, token and proxy reach curl on its standard input,
so that none is in an argument list.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.operation.ask import Ask
from boxwright.operation.curl import curl_options
from boxwright.operation.options import Endpoints
from boxwright.operation.sizes import MIB, hashing_timeout_s, size_text
from boxwright.operation.step import shown
from boxwright.plan.results import Refusal

FIRST_PIECE_S, PIECE_S = 10, 30  # the first is short, so that the first figure comes early
WHOLE_S = 24 * 3600  # for a server that cannot send a range: all in one piece
MAX_RESTARTS = 3
LOCK_WAIT_S = 90  # longer than any piece that a killed run left behind
ANSWER_S = 60
RETRY_WAITS_S = (1, 2, 4, 8, 15)
OK, CURL_WRITE_ERROR, LOCK_BUSY = 0, 23, 75
NO_RESUME = frozenset({33, 36})  # the server cannot send a range, or the offset is past the end

# $1 .part, $2 whole size, $3 seconds; answers "<exit> <http status> <bytes now>"
PIECE = f"""\
exec 9>>"$1" || exit 1
flock --wait {LOCK_WAIT_S} 9 || {{ echo "{LOCK_BUSY} 000 $(stat -c %s "$1")"; exit 0; }}
[ "$(stat -c %s "$1")" -le "$2" ] || : >"$1"
rc=0 http=000
if [ "$(stat -c %s "$1")" -lt "$2" ]; then
    http=$(curl --config - --fail --location --max-redirs 5 --silent --show-error \\
        --connect-timeout 20 --speed-limit 1 --speed-time 30 --max-time "$3" \\
        --continue-at - --output "$1" --write-out '%{{http_code}}') || rc=$?
fi
echo "$rc $http $(stat -c %s "$1")\""""


@dataclass(frozen=True)
class Download:
    """One file to have at `path` on the host; `headers` may hold a token, so they are not shown.

    `unreachable_cure` says what to do when its server refuses or does not answer.
    """

    url: str
    path: str
    size_bytes: int
    sha256: str
    headers: tuple[str, ...] = field(default=(), repr=False)
    unreachable_cure: str = "check the network of the host and proxy_url, then run again"

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.path).name

    @property
    def part(self) -> str:
        """Where it grows until it is whole and checked."""
        return f"{self.path}.part"


def curl_config(item: Download, endpoints: Endpoints) -> str:
    """The same for one file of ours."""
    return curl_options(item.url, endpoints, item.headers)


def fetch(item: Download, endpoints: Endpoints) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Bring a file to the host and answer None, or why it could not be had.

    What is there of it is never fetched again; a file of the wrong sha256 never gets its name.
    """
    directory = str(PurePosixPath(item.path).parent)
    yield StringCommand("mkdir", "-p", QuoteString(directory))
    return (yield from _grow(item, endpoints)) or (yield from seal(item))


def _grow(item: Download, endpoints: Endpoints) -> Generator[PyinfraCommand, None, Refusal | None]:
    failures, restarts, last_bytes, piece_s = 0, 0, 0, FIRST_PIECE_S
    while True:
        ask = _piece(item, endpoints, piece_s)
        began_s = time.monotonic()
        yield ask
        exit_code, http_status, now_bytes = _piece_answer(ask.last_line)
        if exit_code == OK and now_bytes == item.size_bytes:
            return None
        _log_progress(item, ask, now_bytes, last_bytes, time.monotonic() - began_s)
        failures = 0 if now_bytes > last_bytes else failures + 1
        last_bytes, piece_s = now_bytes, max(piece_s, PIECE_S)
        if exit_code in NO_RESUME or http_status == 416:
            yield StringCommand("truncate", "--size=0", QuoteString(item.part))
            restarts, last_bytes, piece_s = restarts + 1, 0, WHOLE_S
        why = _hopeless(item, exit_code, http_status, ask)
        if why is not None or failures > len(RETRY_WAITS_S) or restarts > MAX_RESTARTS:
            return why or _gave_up(item, now_bytes, http_status, ask)
        if failures:
            time.sleep(RETRY_WAITS_S[failures - 1])


def _piece(item: Download, endpoints: Endpoints, piece_s: int) -> Ask:
    return Ask(
        "sh", "-c", QuoteString(PIECE), "boxwright-fetch",
        QuoteString(item.part), str(item.size_bytes), str(piece_s),
        _stdin=curl_config(item, endpoints),
        _timeout=LOCK_WAIT_S + piece_s + ANSWER_S,
    )  # fmt: skip


def seal(item: Download) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Check the whole `.part` file, make it last through a power cut, give it its name."""
    part = QuoteString(item.part)
    host.log(f"{item.name}: checking the sha256 of {size_text(item.size_bytes)}")
    timeout_s = hashing_timeout_s(item.size_bytes)
    ask = Ask("sha256sum", "<", part, _timeout=timeout_s)
    yield ask
    found = ask.last_line.split(" ")[0]
    if found != item.sha256.lower():
        yield StringCommand("rm", "-f", part)
        return Refusal(
            f"{item.name} has sha256 {found or 'unknown'}, needed {item.sha256.lower()}; what was"
            " fetched is deleted",
            "run again; if the sums differ again, its source serves a damaged file: name another"
            " one",
        )
    yield StringCommand(
        "chmod", "0644", part, "&&", "sync", part, "&&",
        "mv", "-T", part, QuoteString(item.path), "&&",
        "sync", QuoteString(str(PurePosixPath(item.path).parent)),
        _timeout=timeout_s,
    )  # fmt: skip
    return None


def _piece_answer(line: str) -> tuple[int, int, int]:
    """(curl's exit code, HTTP status, bytes now) of a piece; a broken answer is a failure."""
    words = line.split()
    if len(words) != 3 or not all(word.isdigit() for word in words):
        return 1, 0, 0
    return int(words[0]), int(words[1]), int(words[2])


def _hopeless(item: Download, exit_code: int, http_status: int, ask: Ask) -> Refusal | None:
    if exit_code == CURL_WRITE_ERROR:
        return Refusal(
            f"{item.name} could not be written to {item.part} ({_said(ask)})",
            "free space there or mend the disk, then run again: it resumes",
        )
    if exit_code == LOCK_BUSY:
        return Refusal(
            f"another process has been writing {item.part} for {LOCK_WAIT_S} s, needed: none",
            "wait for it or end it (fuser -v shows it), then run again",
        )
    if http_status in (401, 404, 410):
        return Refusal(
            f"the server answered {http_status} for {item.name}, needed 200 or 206",
            item.unreachable_cure,
        )
    return None


def _gave_up(item: Download, now_bytes: int, http_status: int, ask: Ask) -> Refusal:
    status = f"HTTP status {http_status}" if http_status else "no answer"
    return Refusal(
        f"{item.name} stands at {now_bytes} of {item.size_bytes} bytes after"
        f" {len(RETRY_WAITS_S) + 1} attempts without progress ({status}; {_said(ask)})",
        item.unreachable_cure,
    )


def _said(ask: Ask) -> str:
    return ask.said[-1].strip() if ask.said else "no reason given"


def _log_progress(item: Download, ask: Ask, now_bytes: int, last_bytes: int, took_s: float) -> None:
    share = now_bytes / item.size_bytes if item.size_bytes else 1.0
    text = f"{item.name}: {share:.0%} of {size_text(item.size_bytes)}"
    if now_bytes > last_bytes and took_s > 0:
        rate = (now_bytes - last_bytes) / took_s
        left_s = (item.size_bytes - now_bytes) / rate
        text += f", {rate / MIB:.0f} MiB/s, {left_s / 60:.0f} min left"
    else:
        text += f", no progress ({shown(_said(ask))})"
    host.log(text)
