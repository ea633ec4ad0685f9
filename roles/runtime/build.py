"""The build itself: CMake and ninja in a unit of systemd that outlives the session, and its result.

The unit goes on when the connection drops or the run is killed: the next run finds it and waits for
it, and what was compiled before is not compiled again (ninja, and ccache beyond the directory).
"""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Generator

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host
from pyinfra.facts.files import Sha256File

from boxwright.operation import BUILDS, Ask, option, write_whole
from boxwright.plan.results import Refusal, RuntimePlan, SourceBuild
from roles.runtime.defaults import DEFAULTS

CCACHE = "/var/cache/boxwright/ccache"
FIRST_PIECE_S, PIECE_S = 10, 30  # the first is short, so that the first figure comes early
ANSWER_S = 60
STARTS = 2  # a unit that systemd lost (a reboot in between) is started once more

SCRIPT = """\
#!/bin/sh
# Boxwright: compiles llama.cpp in this directory; exit status in `status`, words in `log`.
cd {directory} || exit 1
export CCACHE_DIR={ccache} CCACHE_MAXSIZE=5G CCACHE_BASEDIR={directory} LC_ALL=C
{{ cmake -S source -B out {options} &&
   {first}cmake --build out --parallel "$JOBS"; }} >log 2>&1
echo $? >status.part && mv status.part status
"""

# CUDA's kernels take longest, and are what a toolkit or a compiler fails at: they come first
CUDA_FIRST = 'cmake --build out --parallel "$JOBS" --target ggml-cuda &&\n   '

# $1 unit, $2 directory, $3 seconds; answers "<running|ended> <exit status|-> <[done/all]|->"
WATCH = """\
until=$(( $(date +%s) + $3 ))
while systemctl is-active --quiet "$1" && [ "$(date +%s)" -lt "$until" ]; do sleep 1; done
state=ended
! systemctl is-active --quiet "$1" || state=running
status=$(cat "$2/status" 2>/dev/null)
progress=$(grep -aoE '^\\[[0-9]+/[0-9]+\\]' "$2/log" 2>/dev/null | tail -n 1)
echo "$state ${status:--} ${progress:--}\""""

# what ninja, the compilers and CMake say of the first thing that failed; not the steps' own lines
COMPLAINTS = (
    "grep -av '^\\[[0-9]*/' {log} |"
    " grep -aE -m 3 'error|fatal|FAILED|CMake Error|No space left|Killed' || tail -n 3 {log}"
)


def directory_of(runtime: RuntimePlan) -> str:
    """Where a release is compiled, outside of where releases lie."""
    return f"{BUILDS}/{runtime.release}"


def unit_of(runtime: RuntimePlan) -> str:
    """The unit that compiles it."""
    return f"boxwright-build-{runtime.release}.service"


def compiled(
    runtime: RuntimePlan, source: SourceBuild, commit: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Have the tree in `source` compiled in `out`, whoever began it; or why it does not compile."""
    directory, script = directory_of(runtime), script_of(runtime, source, commit)
    began_s, starts, piece_s = time.monotonic(), 0, 0
    limit_s = float(option("runtime_build_timeout_s", DEFAULTS["runtime_build_timeout_s"]))
    # what was begun with other options is begun anew; ninja compiles what they change
    ours = host.get_fact(Sha256File, path=f"{directory}/build.sh") == _digest(script)
    while True:
        asked = yield from _watched(unit_of(runtime), directory, piece_s)
        if asked.state == "running":
            if piece_s == 0:
                host.log(f"{unit_of(runtime)} is compiling already: waiting for it")
            done = "CMake looks around" if asked.progress == "-" else f"{asked.progress} compiled"
            host.log(f"{runtime.release}: {done}")
            if time.monotonic() - began_s > limit_s:
                return _too_slow(runtime, limit_s, asked)
        elif asked.status == "0" and ours:
            return None
        elif starts < STARTS and (asked.status == "-" or not ours or not starts):
            yield from _started(runtime, source, script)
            starts, ours = starts + 1, True
            piece_s = 0
        else:
            return (yield from _failed(runtime, directory, asked))
        piece_s = PIECE_S if piece_s else FIRST_PIECE_S


class _Watched:
    """What the unit was doing when it was last looked at."""

    def __init__(self, line: str) -> None:
        words = line.split()
        self.state, self.status, self.progress = words if len(words) == 3 else ("ended", "-", "-")


def _watched(unit: str, directory: str, seconds: int) -> Generator[PyinfraCommand, None, _Watched]:
    ask = Ask(
        "sh", "-c", QuoteString(WATCH), "boxwright-watch",
        QuoteString(unit), QuoteString(directory), str(seconds),
        _timeout=seconds + ANSWER_S,
    )  # fmt: skip
    yield ask
    return _Watched(ask.last_line)


def script_of(runtime: RuntimePlan, source: SourceBuild, commit: str) -> str:
    """What the unit runs; how many files at once is told by its environment."""
    options = (*source.cmake, f"-DLLAMA_BUILD_COMMIT={commit}")
    return SCRIPT.format(
        directory=shlex.quote(directory_of(runtime)),
        ccache=CCACHE,
        options=" ".join(shlex.quote(one) for one in options),
        first=CUDA_FIRST if source.toolkit else "",
    )


def _digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()


def _started(
    runtime: RuntimePlan, source: SourceBuild, script: str
) -> Generator[PyinfraCommand, None, None]:
    directory = directory_of(runtime)
    # first: beside the new script the old one's status would pass for its own
    yield StringCommand("rm -f --", QuoteString(f"{directory}/status"))
    yield write_whole(f"{directory}/build.sh", script)
    host.log(f"{runtime.release}: compiling with {source.jobs} jobs; {directory}/log tells more")
    # a server that runs meanwhile keeps its processor time, and the compiler goes when RAM is short
    yield StringCommand(
        "systemd-run --quiet --collect --property=Nice=10 --property=OOMScoreAdjust=900",
        f"--setenv=JOBS={source.jobs} --unit", QuoteString(unit_of(runtime)),
        "/bin/sh", QuoteString(f"{directory}/build.sh"),
    )  # fmt: skip


def _too_slow(runtime: RuntimePlan, limit_s: float, asked: _Watched) -> Refusal:
    return Refusal(
        f"{unit_of(runtime)} has been compiling for {limit_s / 60:.0f} minutes, it is at"
        f" {asked.progress}",
        "run again to go on waiting for it, or raise runtime_build_timeout_s",
    )


def _failed(
    runtime: RuntimePlan, directory: str, asked: _Watched
) -> Generator[PyinfraCommand, None, Refusal]:
    log = f"{directory}/log"
    ask = Ask(COMPLAINTS.format(log=shlex.quote(log)))
    yield ask
    for line in ask.lines:
        host.log(line)
    status = "was ended" if asked.status == "-" else f"ended with exit status {asked.status}"
    return Refusal(
        f"{runtime.release} does not compile: the build {status} at {asked.progress}"
        f" ({ask.lines[0].strip()[:200] if ask.lines else 'it says nothing'})",
        f"look at {log} on the host, mend what it says, then run again: what is compiled stays",
    )


def collected(
    runtime: RuntimePlan, source: SourceBuild, stage: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    """The result in the stage: programs and libraries, and CUDA's runtime beside them."""
    binaries = f"{directory_of(runtime)}/out/bin"
    yield StringCommand(
        "umask 022 && cp -a --no-preserve=ownership,context", QuoteString(f"{binaries}/."),
        QuoteString(stage),
    )  # fmt: skip
    if source.toolkit is None:
        return None
    # as upstream's cudart archive does it: the toolkit is not needed where this runs
    root = shlex.quote(source.toolkit.root)
    paths = f"{root}/lib64:{root}/targets/x86_64-linux/lib:{root}/lib"
    ask = Ask(
        f"cd {shlex.quote(stage)} && LD_LIBRARY_PATH={paths} ldd libggml-cuda.so |"
        " sed -nE 's/^[[:space:]]*(libcudart|libcublas|libcublasLt)\\.so.* => (\\/[^ ]+) .*/\\2/p'"
        ' | while read -r file; do cp -L "$file" . && echo "$file"; done'
    )
    yield ask
    found = {line.rsplit("/", 1)[-1].split(".so")[0] for line in ask.lines}
    missing = {"libcudart", "libcublas", "libcublasLt"} - found
    if missing:
        return Refusal(
            f"the CUDA backend of {runtime.release} finds no {', '.join(sorted(missing))} in"
            f" {source.toolkit.root}",
            f"remove {directory_of(runtime)} and the toolkit, then run again",
        )
    return None
