"""Hosts that need nothing but what a test of preflight is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from boxwright import facts
from tests.unit.plans import HELP
from tests.unit.role_host import RoleHost

CUDA = "llama-b11669-bin-ubuntu-cuda-{}-x64.tar.gz"
CUDA_ASSETS = (CUDA, f"cudart-{CUDA}")
ROWS = ("mine-b11669-12.8.tar.gz", "cudart-b11669-12.8.tar.gz")  # tests.unit.driver_hosts
CPU_ASSETS = ("llama-b11669-bin-ubuntu-x64.tar.gz",)
FLAGS = frozenset(re.findall(r"--?[A-Za-z][\w-]*", (HELP / "b11669.txt").read_text()))


def with_release(host: RoleHost, cuda: str | None = "12.8", assets: Sequence[str] = ()) -> RoleHost:
    """The host, its release of llama.cpp installed, so that nothing is asked for it."""
    names = assets or ([name.format(cuda) for name in CUDA_ASSETS] if cuda else CPU_ASSETS)
    sums = tuple((name, "0" * 64) for name in names)
    stamp = facts.ReleaseStamp(f"b11669-{cuda or 'cpu'}-x86_64", "b11669", cuda, sums, FLAGS)
    host.facts[facts.Releases] = facts.ReleasesState(stamp.release, (stamp,))
    return host
