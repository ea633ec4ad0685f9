"""Distributions, toolkits and compilers as nvidia.md has them, and what a plan says of a build.

Written down from reference/nvidia.md (1, 3.8, 8), apart from the catalog's rows.
"""

from __future__ import annotations

from boxwright.plan import Plan
from boxwright.plan.results import SourceBuild, ToolkitPlan
from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    DEBIAN_12,
    DEBIAN_13,
    FEDORA,
    HOPPER,
    MAXWELL,
    PASCAL,
    ROCKY_9,
    ROCKY_10,
    TURING,
    UBUNTU,
    VOLTA,
)

UBUNTU_22 = {**UBUNTU, "version_id": "22.04", "glibc": "2.35", "kernel": "5.15.0-160-generic"}
UBUNTU_26 = {**UBUNTU, "version_id": "26.04", "glibc": "2.43", "kernel": "7.0.0-20-generic"}
ALL = [DEBIAN_12, DEBIAN_13, UBUNTU_22, UBUNTU, UBUNTU_26, ROCKY_9, ROCKY_10, FEDORA]
ADA = "10de:2684"
CAPABILITIES = {
    MAXWELL: "5.2", PASCAL: "6.1", VOLTA: "7.0", TURING: "7.5", AMPERE: "8.6", ADA: "8.9",
    HOPPER: "9.0", BLACKWELL: "12.0",
}  # fmt: skip
# nvidia.md 3.8: the newest gcc; 1: the oldest and newest capability, and the SASS floor
GCC = {"12.4": 13, "12.8": 14, "12.9": 14, "13.0": 15, "13.1": 15, "13.3": 15, "13.4": 16}
DEFAULT_GCC = {
    ("debian", "12"): 12, ("debian", "13"): 14, ("ubuntu", "22.04"): 11, ("ubuntu", "24.04"): 13,
    ("ubuntu", "26.04"): 15, ("rocky", "9.6"): 11, ("rocky", "10.2"): 14, ("fedora", "44"): 16,
}  # fmt: skip
REPOSITORIES = {
    ("debian", "12"): "debian12", ("debian", "13"): "debian13", ("ubuntu", "22.04"): "ubuntu2204",
    ("ubuntu", "24.04"): "ubuntu2404", ("ubuntu", "26.04"): "ubuntu2604",
    ("rocky", "9.6"): "rhel9", ("rocky", "10.2"): "rhel10", ("fedora", "44"): "fedora44",
}  # fmt: skip


def compiled(made: Plan) -> tuple[SourceBuild, ToolkitPlan]:
    """The build that is planned, and its toolkit."""
    assert made.refusal is None, made.refusal
    assert made.runtime is not None and made.runtime.kind == "source"
    assert made.runtime.source is not None and made.runtime.source.toolkit is not None
    return made.runtime.source, made.runtime.source.toolkit


def options(build: SourceBuild) -> dict[str, str]:
    pairs = [word.removeprefix("-D").split("=", 1) for word in build.cmake if word[:2] == "-D"]
    return {name: value for name, value in pairs}
