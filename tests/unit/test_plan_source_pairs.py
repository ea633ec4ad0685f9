"""No build from source pairs a card, a toolkit, a compiler and a driver that do not fit."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boxwright.plan.results import SourceBuild
from tests.unit.plans import BLACKWELL, installed, plan_on
from tests.unit.source_builds import ALL, CAPABILITIES, DEFAULT_GCC, GCC, REPOSITORIES

DRIVERS = (
    None, "520.61.05", "535.261.03", "550.163.01", "570.26", "575.51.03", "580.65.05", "580.65.06",
    "580.178.04", "595.58.03", "610.43.02", "615.71.09", "620.10.01",
)  # fmt: skip
wishes = st.fixed_dictionaries(
    {
        "runtime_compile": st.sampled_from(["auto", "always", "never"]),
        "runtime_cuda": st.sampled_from([None, None, "12.4", "12.8", "13.1", "13.2", "13.4"]),
    }
)


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    os=st.sampled_from(ALL),
    ids=st.lists(st.sampled_from(sorted(CAPABILITIES)), max_size=3),
    driver=st.sampled_from(DRIVERS),
    flavour=st.sampled_from(["open", "proprietary"]),
    wished=wishes,
)
def test_no_plan_pairs_what_does_not_fit(
    os: dict[str, Any], ids: list[str], driver: str | None, flavour: str, wished: dict[str, Any]
) -> None:
    nvidia = installed(driver, flavour, driver) if driver else {}
    made = plan_on(os, *ids, nvidia=nvidia, **wished)
    runtime = made.runtime
    if runtime is None:
        assert made.refusal is not None
        return
    assert runtime.cuda != "13.2"
    assert (runtime.cuda is not None) == bool(ids)
    if runtime.cuda is None:
        return
    assert made.driver is not None
    kept = made.driver.source == "installed"
    has = number(driver) if kept and driver else (int(made.driver.branch), 999, 99)
    floors = {"12.8": (570, 26), "13.4": (615, 71, 9)}
    sass_floor = (525, 60, 13) if runtime.cuda.startswith("12.") else (580, 65, 6)
    # every kind of code needs the floor of its major line; PTX that of its own toolkit
    assert has >= sass_floor
    if any(one.endswith("-virtual") for one in runtime.architectures):
        assert has >= floors[runtime.cuda], (runtime, has)
    if BLACKWELL in ids:
        assert has >= (570,)
    for card in ids:
        digits = CAPABILITIES[card].replace(".", "")
        alike = [one for one in runtime.architectures if one[: len(digits)] == digits]
        assert alike or runtime.kind == "release", (card, runtime)
    if runtime.kind == "source":
        _source_fits(os, ids, runtime.source, runtime.cuda, runtime.architectures)


def _source_fits(
    os: dict[str, Any],
    ids: list[str],
    build: SourceBuild | None,
    cuda: str,
    architectures: tuple[str, ...],
) -> None:
    assert build is not None and build.toolkit is not None
    system = os["id"], os["version_id"]
    assert all(one.endswith("-real") for one in architectures)
    capabilities = [float(CAPABILITIES[card]) for card in ids]
    assert min(capabilities) >= (5.0 if cuda.startswith("12.") else 7.5)
    assert max(capabilities) <= (9.0 if number(cuda) < (12, 8) else 12.0)
    compiler = build.host_compiler
    gcc = int(compiler.removeprefix("g++-")) if compiler else DEFAULT_GCC[system]
    assert gcc <= GCC[cuda]
    # the keys of the older repositories are SHA-1: each system gets its own repository or none
    assert build.toolkit.repository in (None, REPOSITORIES[system])
    meta = {"cuda", "cuda-drivers", "cuda-compat", f"cuda-{cuda.replace('.', '-')}"}
    assert not meta & {*build.packages, *build.toolkit.packages}
    broken_by_glibc = number(os["glibc"]) >= ((2, 41) if cuda.startswith("12.") else (2, 99))
    ours = build.toolkit.source != "distribution"
    assert build.toolkit.system_headers == (broken_by_glibc and ours)
