"""The runtime role: what binaries print, read back; which releases are as planned, which go."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from boxwright.facts import ReleasesState, ReleaseStamp
from boxwright.operation import stamped_as_planned
from boxwright.plan.results import RuntimePlan
from roles.runtime.binary import build_of, devices_of, flags_in, flags_of
from roles.runtime.releases import prunable, stamp_of

HELP = Path(__file__).resolve().parents[1] / "fixtures" / "help"
PLANNED = RuntimePlan(
    kind="release", build="b11669", cuda="12.8", architectures=("61",),
    release="b11669-12.8-x64", assets=("llama.tar.gz", "cudart.tar.gz"), why="",
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "build"),
    [
        ("version: 0.7.0 (build 11669, commit 0c1e570)\nbuilt with gcc 15", "b11669"),
        ("version: 0.7.0-dev (build 12001, commit abc)", "b12001"),
        ("ggml_vulkan: 1 device\nversion: 10068 (af3be13)\nbuilt with GNU 11", "b10068"),
        ("error while loading shared libraries: libgomp.so.1", None),
        ("version: unknown", None),
        ("", None),
    ],
)
def test_the_build_is_read_in_the_old_and_the_new_form(said: str, build: str | None) -> None:
    assert build_of(said) == build


@pytest.mark.parametrize(
    ("build", "has", "has_not"),
    [
        ("b10068", {"--mlock", "--no-mmap", "-cmoe", "--api-key-file", "-h"}, {"--load-mode"}),
        ("b10434", {"--mlock", "--load-mode", "-lm", "--mmap", "--no-mmap"}, {"--moe-cache-mib"}),
        ("b11669", {"--load-mode", "-lm", "-ngl", "--n-gpu-layers"}, {"--mlock", "--no-mmap"}),
    ],
)
def test_flags_are_those_of_the_recorded_help(build: str, has: set[str], has_not: set[str]) -> None:
    text = (HELP / f"{build}.txt").read_text(encoding="utf-8")
    flags = flags_of(text)
    assert has <= flags
    assert not has_not & flags
    # a crude second reading: whatever stands at the beginning of a line is an option's name
    firsts = set(re.findall(r"^(--?[A-Za-z][\w-]*)", text, re.MULTILINE))
    assert firsts <= flags
    # and no name is made up
    assert flags <= set(re.findall(r"(?<![\w-])--?\w[\w-]*", text))


def test_words_of_a_description_are_no_flags() -> None:
    text = "--port N   listen\n              --not-a-flag explained\n----- params -----\n"
    assert flags_of(text) == {"--port"}


def test_devices_are_read_from_the_list() -> None:
    said = (
        "Available devices:\n"
        "  CUDA0: Quadro P5000 (16273 MiB, 16100 MiB free)\n"
        "  Vulkan1: llvmpipe (LLVM 19.1.7, 256 bits) (24043 MiB, 24043 MiB free)\n"
    )
    assert devices_of(said) == ("CUDA0", "Vulkan1")
    assert devices_of("Available devices:\n  (none)\n") == ()


def test_negative_numbers_among_the_arguments_are_values() -> None:
    args = ("--gpu-layers", "all", "-c", "4096", "--prio", "-1", "--tensor-split", "1,1")
    assert flags_in(args) == ("--gpu-layers", "-c", "--prio", "--tensor-split")
    assert flags_in(("--top_k", "5", "-a", "my_model")) == ("--top-k", "-a")


def installed(*releases: str, current: str | None = None) -> ReleasesState:
    stamps = tuple(ReleaseStamp(r, r.split("-")[0], None, (), frozenset()) for r in releases)
    return ReleasesState(current, stamps)


def test_the_stamp_is_read_back_by_the_fact_as_planned() -> None:
    sums = (("llama.tar.gz", "a" * 64), ("cudart.tar.gz", "b" * 64))
    document = json.loads(json.dumps(stamp_of(PLANNED, sums, frozenset({"--port", "-c"}))))
    assert document.pop("schema") == "boxwright.release/1"
    stamp = TypeAdapter(ReleaseStamp).validate_python(document)
    assert stamp.flags == {"--port", "-c"}
    assert stamp.assets == sums
    state = ReleasesState(None, (stamp,))
    assert stamped_as_planned(state, PLANNED)
    for other in (
        replace(PLANNED, cuda="13.4"),
        replace(PLANNED, build="b11670"),
        replace(PLANNED, assets=("llama.tar.gz",)),
        replace(PLANNED, release="b11669-13.4-x64"),
    ):
        assert not stamped_as_planned(state, other)


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (2, ("b10434-cpu-x64", "b9999-cpu-x64")),
        (1, ("b10434-cpu-x64", "b11669-cpu-x64", "b9999-cpu-x64")),
        (0, ("b10434-cpu-x64", "b11669-cpu-x64", "b9999-cpu-x64")),
        (9, ()),
    ],
)
def test_old_releases_go_and_the_current_one_never(keep: int, gone: tuple[str, ...]) -> None:
    releases = ("b9999-cpu-x64", "b10434-cpu-x64", "b11669-cpu-x64", "b10068-cpu-x64")
    state = installed(*releases, current="b10068-cpu-x64")
    assert prunable(state, keep) == gone


def test_without_a_current_release_nothing_goes() -> None:
    assert prunable(installed("b1-cpu-x64", "b2-cpu-x64"), 1) == ()
