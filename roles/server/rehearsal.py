"""The proof before the download: the installed build measures the model on headers alone."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import PurePosixPath

from pyinfra import logger
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host
from pyinfra.facts.files import File

from boxwright.facts import FIT_PATH, FitRecords, Models
from boxwright.operation import (
    UNREACHABLE_CURE,
    Ask,
    Commands,
    add_line,
    curl_options,
    endpoints_for_host,
    hub_file_url,
    hub_headers,
    model_for_host,
    noop,
    operation,
    recently,
    refuse,
    wanted_for_host,
)
from boxwright.plan.results import ModelFile, Refusal
from roles.server import fit
from roles.server.unit import USER
from roles.server.wanted import Wish, planned_wish

DIRECTORY = "/var/lib/boxwright/rehearsal"
ANSWER_TIMEOUT_S = 600
HEADER_TIMEOUT_S = 300
# $1 file, $2 bytes of the header, $3 size of the whole file. A server that ignores the range would
# send all of it, so no more is read than is wanted.
FETCH_HEADER = """\
umask 022 && mkdir -p "${1%/*}" &&
curl --config - --fail --location --max-redirs 5 --silent --show-error --connect-timeout 20 \\
    --max-time 240 --range "0-$(($2 - 1))" | head -c "$2" >"$1" &&
[ "$(stat -c %s "$1")" = "$2" ] && truncate --size="$3" "$1\""""


@operation
def rehearse() -> Commands:
    """Refuse a model that does not fit before it is fetched, by the installed build's own count."""
    wish = yield from planned_wish()
    if wish is None:
        return
    binary = f"{wish.settings.runtime_directory}/{wish.settings.release}/llama-fit-params"
    if not host.get_fact(File, path=binary):
        noop("this build has no llama-fit-params, or is not installed yet")
        return
    digest = fit.digest_of(wish.settings.release, wish.server.args, wish.settings.model_sums)
    if any(record.digest == digest for record in host.get_fact(FitRecords)):
        noop("measured already")
        return
    failed = yield from _measure(wish, binary, digest)
    yield StringCommand("rm -rf --", DIRECTORY)
    if failed is not None:
        yield from refuse(failed)


def _measure(
    wish: Wish, binary: str, digest: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    path = yield from _model_path(wish)
    if isinstance(path, Refusal):
        return path
    rows = yield from _rows(wish, binary, path)
    if isinstance(rows, Refusal):
        return rows
    memory = wish.plan.memory
    assert memory is not None, "planned_wish asks for it"
    failed = fit.judged(memory, rows)
    if failed is not None:
        return failed
    for sentence in fit.deviations(memory, rows):
        host.log(f"note: {sentence}", logger.warning)
    line = fit.record_of(
        digest, wish.settings.release, wish.model.name, memory, rows, int(time.time())
    )
    yield add_line(FIT_PATH, line)
    host.log(f"{wish.model.name} fits: " + ", ".join(f"{r.name} {r.sum_mib} MiB" for r in rows))
    return None


def _rows(
    wish: Wish, binary: str, path: str
) -> Generator[PyinfraCommand, None, tuple[fit.Measured, ...] | Refusal]:
    """What llama-fit-params prints of the model at `path` with the arguments of the service."""
    words = [QuoteString(f"{name}={value}") for name, value in wish.server.environment.items()]
    args = [QuoteString(word) for word in fit.asked(wish.server.args)]
    ask = Ask(
        f"cd / && runuser -u {USER} -- env", *words, QuoteString(binary), "--model",
        QuoteString(path), *args, _timeout=ANSWER_TIMEOUT_S,
    )  # fmt: skip
    yield ask
    rows = fit.measured(ask.lines)
    if ask.succeeded and rows:
        return rows
    said = [line.strip() for line in (*ask.said, *ask.lines) if line.strip()]
    return Refusal(
        f"llama-fit-params of {wish.settings.release} cannot load {wish.model.name}"
        f" {wish.model.quant} (it said last: {said[-1] if said else 'nothing'})",
        "choose a runtime_build that knows this model, or another model; nothing of it was fetched",
    )


def _model_path(wish: Wish) -> Generator[PyinfraCommand, None, str | Refusal]:
    """The model's first file: where it lies if all of it is there, else headers of full length."""
    resolved = model_for_host()
    if isinstance(resolved, Refusal):
        return resolved
    state = recently(Models, directory=wanted_for_host().models_directory)
    there = {file.path: file.size_bytes for file in state.files}
    directory = wish.model.directory
    paths = [f"{directory}/{PurePosixPath(file.name).name}" for file in resolved.files]
    if all(there.get(p) == f.size_bytes for p, f in zip(paths, resolved.files, strict=True)):
        return paths[0]
    headers = resolved.shape.header_bytes
    if len(headers) != len(resolved.files):
        return Refusal(
            f"{wish.model.name} has {len(resolved.files)} files, of which {len(headers)} headers"
            " are known",
            "remove the shapes that are kept in the cache directory of this machine, run again",
        )
    for file, header_bytes in zip(resolved.files, headers, strict=True):
        failed = yield from _fetch_header(wish, resolved.commit, file, header_bytes)
        if failed is not None:
            return failed
    return f"{DIRECTORY}/{PurePosixPath(paths[0]).name}"


def _fetch_header(
    wish: Wish, commit: str, file: ModelFile, header_bytes: int
) -> Generator[PyinfraCommand, None, Refusal | None]:
    endpoints = endpoints_for_host()
    url = hub_file_url(endpoints.models_hub_url, wish.model.repository, commit, file.name)
    ask = Ask(
        "sh -c", QuoteString(FETCH_HEADER), "boxwright-header",
        QuoteString(f"{DIRECTORY}/{PurePosixPath(file.name).name}"),
        str(header_bytes), str(file.size_bytes or header_bytes),
        _stdin=curl_options(url, endpoints, hub_headers(endpoints)), _timeout=HEADER_TIMEOUT_S,
    )  # fmt: skip
    yield ask
    if ask.succeeded:
        return None
    said = ask.said[-1].strip() if ask.said else "it sent less"
    return Refusal(
        f"the first {header_bytes} bytes of {file.name} could not be had from the Hub ({said})",
        UNREACHABLE_CURE,
    )
