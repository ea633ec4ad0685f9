"""Hosts alike on which roles compile llama.cpp, and one run over all of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyinfra.facts.files import Directory, File, Sha256File
from pyinfra.facts.server import Command

from boxwright import facts
from boxwright.operation.dnf_repositories import EnabledRepositories
from roles.runtime import compiling, source
from roles.runtime.leftovers import BuildLeftovers
from tests.unit.plans import HELP, ROCKY_9, machine
from tests.unit.role_host import RoleHost, box

RELEASE = "b11669-src-cpu-x86_64"
PACK = "b11669-cpu-glibc2.34-x86_64"
BUILD = f"/var/cache/boxwright/build/{RELEASE}"
STAGE, WHOLE = f"/opt/llama.cpp/{RELEASE}.part", f"/opt/llama.cpp/{RELEASE}"
PACKED = f"/var/cache/boxwright/packs/{PACK}.tar.gz"
BYTES = b"what was compiled"
SUM = hashlib.sha256(BYTES).hexdigest()
URL = "http://mirror/repos/ggml-org/llama.cpp/tarball/b11669"
ONE = (compiling.compile_for_all, compiling.give_to_others, compiling.take_from_others)
ROUND = (compiling.agree, *ONE, *ONE, compiling.compile_alone)  # as roles/runtime/deploy.py has it


def host_that_builds(
    packs_kept: Path, name: str, *others: str, cores: int = 8, **data: Any
) -> RoleHost:
    """A host without a card whose glibc no release fits, like all others but for its name."""
    on = machine("plain", os=ROCKY_9, cpu={"cores": cores})
    host = box(on, runtime_packs_directory=str(packs_kept), **data)
    host.name, host.others = name, others
    host.facts |= {
        source.Tree: None, BuildLeftovers: (), Sha256File: None, Command: "",
        Directory: None, File: None, EnabledRepositories: ("crb",),
    }  # fmt: skip
    host.install("cmake", "ninja-build", "gcc-c++", "ccache", "epel-release",
                 "dnf-plugins-core", version="1")  # fmt: skip
    watches = iter(["ended - -", "running - [3/9]", "ended 0 [9/9]"])
    host.answers |= {
        "boxwright-watch": lambda _: (next(watches, "ended 0 [9/9]"),),
        "curl --config -": ("ggml-org-llama.cpp-0c1e570/",),
        "--version": ("version: 0.7.0 (build 11669, commit 0c1e570)",),
        "--help": tuple((HELP / "b11669.txt").read_text().splitlines()),
        "tar --create": (str(len(BYTES)), f"{SUM}  -"),
        "sha256sum <": lambda h: (hashlib.sha256(h.carried.get(PACKED, b"")).hexdigest() + "  -",),
    }
    host.effects["tar --create"] = packs
    host.effects[f"mv -T {STAGE} {WHOLE}"] = installs
    return host


def installs(host: RoleHost) -> None:
    """The release is there, with the stamp that was written last."""
    stamp = json.loads(next(text for text in reversed(host.stdin) if "boxwright.release/1" in text))
    found = facts.ReleaseStamp(
        stamp["release"], stamp["build"], stamp["cuda"], (), frozenset(stamp["flags"]),
        stamp["pack"],
    )  # fmt: skip
    host.facts[facts.Releases] = facts.ReleasesState(installed=(found,))


def packs(host: RoleHost) -> None:
    """The pack of what was just asked for is there."""
    (path,) = re.findall(r"--file (\S+)", host.sent[-1])
    host.carried[path] = BYTES


def together(*hosts: RoleHost) -> dict[str, list[str]]:
    """All hosts through one operation before the next begins, as pyinfra does it; commands sent."""
    for operation in ROUND:
        for host in hosts:
            if host.refusal is None:
                host.run(operation)
        gone = {host.name for host in hosts if host.refusal is not None}
        for host in hosts:
            host.others = tuple(name for name in host.others if name not in gone)
    return {host.name: host.sent for host in hosts}


def script_digest(build_host: Callable[..., RoleHost]) -> str:
    """The sha256 of the script that a build of these options is begun with."""
    host = build_host("elsewhere")
    host.data.values["runtime_packs_directory"] += "-elsewhere"
    together(host)
    script = next(text for text in host.stdin if "cmake -S source" in text)
    return hashlib.sha256(script.encode()).hexdigest()


def has_compiled(host: RoleHost) -> bool:
    """Whether a build was begun on it."""
    return any("systemd-run" in text for text in host.sent)


def has_release(host: RoleHost) -> bool:
    """Whether the release is installed on it, from wherever it came."""
    return facts.Releases in host.facts
