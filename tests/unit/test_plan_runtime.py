"""Which release asset runs where: glibc, SASS and PTX against the driver, capability, wishes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    DEBIAN_12,
    DEBIAN_13,
    HOPPER,
    PASCAL,
    TURING,
    UBUNTU,
    gpu,
    installed,
    machine,
    plan_on,
    planned,
    refused,
    row,
)


@pytest.mark.parametrize(
    ("os", "ids", "cuda", "architectures"),
    [
        (UBUNTU, [PASCAL], "12.8", ("61-virtual",)),
        (UBUNTU, [PASCAL, AMPERE], "12.8", ("61-virtual", "86-real")),
        (UBUNTU, [BLACKWELL], "13.4", ("120a-real",)),
        (UBUNTU, [AMPERE], "13.4", ("86-real",)),
        # PTX of 13.4 would need R615, and Ubuntu's long-term branch is 580
        (UBUNTU, [TURING], "12.8", ("75-virtual",)),
        (UBUNTU, [TURING, BLACKWELL], "12.8", ("75-virtual", "120a-real")),
        (DEBIAN_13, [TURING], "13.4", ("75-virtual",)),
        (DEBIAN_13, [HOPPER], "13.4", ("90-virtual",)),
        (DEBIAN_13, [BLACKWELL], "13.4", ("120a-real",)),
    ],
)
def test_the_newest_cuda_that_runs_on_card_and_driver(
    os: dict[str, Any], ids: list[str], cuda: str, architectures: tuple[str, ...]
) -> None:
    found = plan_on(os, *ids).runtime
    assert found is not None
    assert (found.kind, found.cuda, found.architectures) == ("release", cuda, architectures)
    assert found.release == f"b11669-{cuda}-x86_64"
    assert found.assets == (
        f"llama-b11669-bin-ubuntu-cuda-{cuda}-x64.tar.gz",
        f"cudart-llama-b11669-bin-ubuntu-cuda-{cuda}-x64.tar.gz",
    )


def test_without_a_card_it_is_the_build_for_the_processor() -> None:
    found = plan_on(DEBIAN_12).runtime
    assert found is not None
    assert (found.cuda, found.release) == (None, "b11669-cpu-x86_64")
    assert found.assets == ("llama-b11669-bin-ubuntu-x64.tar.gz",)


def test_debian_13_with_pascal_has_no_driver_for_the_ptx_and_says_so() -> None:
    sentence = refused(plan_on(DEBIAN_13, PASCAL, runtime_compile="never"))
    assert "570.26" in sentence and "550" in sentence and "PTX" in sentence


def test_an_older_glibc_than_the_asset_s_is_named() -> None:
    sentence = refused(plan_on(DEBIAN_12, BLACKWELL, runtime_compile="never"))
    assert "glibc 2.39" in sentence and "2.36" in sentence


def test_own_rows_make_it_fit() -> None:
    rows = (row("b11669", "12.8", ["61-virtual"]), row("b11669", "12.4", ["61-real"], "2.31"))
    found = plan_on(DEBIAN_12, PASCAL, rows=rows).runtime
    assert found is not None and found.cuda == "12.8"
    # SASS runs on any driver from 525 on: Debian 13's 550 too
    sass = plan_on(DEBIAN_13, PASCAL, rows=rows).runtime
    assert sass is not None and (sass.cuda, sass.architectures) == ("12.4", ("61-real",))
    assert sass.assets == ("mine-b11669-12.4.tar.gz", "cudart-b11669-12.4.tar.gz")


def test_cuda_13_2_is_never_taken() -> None:
    rows = (row("b11669", "13.2", ["120a-real"]),)
    found = plan_on(UBUNTU, BLACKWELL, rows=rows).runtime
    assert found is not None and found.cuda == "13.4"
    sentence = refused(plan_on(UBUNTU, BLACKWELL, rows=rows, runtime_cuda="13.2"))
    assert "13.2" in sentence and "miscompiles" in sentence


@pytest.mark.parametrize(
    ("version", "cuda"), [("580.65.06", "13.4"), ("580.60", "12.8"), ("570.26", "12.8")]
)
def test_an_installed_driver_s_exact_version_counts(version: str, cuda: str) -> None:
    found = plan_on(UBUNTU, BLACKWELL, nvidia=installed(version, "open")).runtime
    assert found is not None and found.cuda == cuda


def test_a_kept_driver_that_runs_no_asset_names_the_way_out() -> None:
    old = installed("535.261.03", "open")
    made = plan_on(UBUNTU, TURING, nvidia=old, runtime_compile="never")
    assert made.driver is not None and made.driver.source == "installed"
    assert "driver_branch" in refused(made)
    assert plan_on(UBUNTU, TURING, nvidia=installed("535.1", "open"), driver_branch="580").runtime


def test_wished_build_and_cuda() -> None:
    rows = (row("b10068", None, []), row("b10068", "12.8", ["120a-real"]))
    assert planned("plain", rows=rows, runtime_build="b10068").runtime is not None
    found = plan_on(DEBIAN_13, BLACKWELL, rows=rows, runtime_build="b10068").runtime
    assert found is not None and found.release == "b10068-12.8-x86_64"
    assert plan_on(UBUNTU, BLACKWELL, runtime_cuda="12.8").runtime is not None
    assert "runtime_cuda" in refused(plan_on(UBUNTU, BLACKWELL, runtime_cuda="11.8"))
    # no CUDA asset of so old a build is known
    old = plan_on(UBUNTU, BLACKWELL, runtime_build="b10000", runtime_compile="never")
    assert "b10000" in refused(old)
    assert "runtime_build" in refused(plan_on(UBUNTU, BLACKWELL, runtime_build="v0.7.0"))


def test_a_card_of_no_known_capability_is_not_guessed_at() -> None:
    cards = [gpu("0000:01:00.0", "10de:3340", vram_mib=16384)]
    on = machine("xeon", os=DEBIAN_13, gpus=cards)
    assert "capability" in refused(planned(on))
    told = machine("xeon", os=DEBIAN_13, gpus=[{**cards[0], "compute_cap": "12.0"}])
    assert planned(told).runtime is not None
