"""Hosts that compile with CUDA, and the commands that bring them its toolkit."""

from __future__ import annotations

from typing import Any

from pyinfra.facts.apt import AptRepo, AptSources
from pyinfra.facts.files import FindInFile

from boxwright.operation import operation, refuse
from boxwright.operation.apt import Candidates
from boxwright.operation.nvidia_key import KeyFingerprints
from boxwright.plan.results import SourceBuild
from roles.runtime import cuda_source
from roles.runtime import toolkit as role
from tests.unit.plans import PASCAL, gpu, machine, plan_on
from tests.unit.role_host import RoleHost, box

MAIN = AptRepo(
    "deb", "http://deb/debian", "trixie", ["main"],
    {"signed-by": "/usr/share/keyrings/debian-archive-keyring.gpg"},
)  # fmt: skip


def on(os: dict[str, Any]) -> RoleHost:
    """A host of this distribution with a Pascal card, whose archive has every package."""
    cards = [gpu("0000:01:00.0", PASCAL)]
    host = box(machine("xeon", os=os, gpus=cards), gpu_vram_mib={"0000:01:00.0": 16384})
    host.facts |= {FindInFile: None, AptSources: [MAIN], KeyFingerprints: ()}
    host.facts[Candidates] = lambda names, options: dict.fromkeys(names, "1")
    host.directories |= {cuda_source.PARTS, "/etc/yum.repos.d"}
    host.install("curl", "gpg", "xz-utils", version="1")
    return host


def build_of(os: dict[str, Any], **wishes: Any) -> SourceBuild:
    """What is compiled there."""
    runtime = plan_on(os, PASCAL, **wishes).runtime
    assert runtime is not None and runtime.source is not None
    return runtime.source


def brought(host: RoleHost, source: SourceBuild) -> list[str]:
    """The commands that bring the toolkit; a refusal is the host's."""

    @operation
    def step() -> Any:
        failed = yield from role.have_toolkit(source)
        if failed is not None:
            yield from refuse(failed)

    return host.run(step)


def place(host: RoleHost, part: str) -> int:
    """Which command is the first that holds this text."""
    return next(index for index, text in enumerate(host.sent) if part in text)
