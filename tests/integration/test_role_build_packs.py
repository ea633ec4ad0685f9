"""Packs of what was compiled: kept, given to other hosts, damaged, of another build."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from roles.runtime import compiling
from tests.integration.building import (
    BYTES,
    PACK,
    PACKED,
    has_compiled,
    has_release,
    packs,
    together,
)
from tests.unit.role_host import RoleHost


def test_a_later_host_is_given_what_an_earlier_run_kept(
    build_host: Callable[..., RoleHost],
) -> None:
    together(build_host("one"))
    late = build_host("late")
    together(late)
    assert has_release(late) and not has_compiled(late) and f"upload {PACKED}" in late.sent


def test_a_host_that_has_it_installed_gives_it_without_compiling(
    build_host: Callable[..., RoleHost],
) -> None:
    one = build_host("one", "two")
    together(one)
    shutil.rmtree(one.data.get("runtime_packs_directory"))  # another person's machine
    compiling._round.begun.clear()
    before = len(one.sent)
    two = build_host("two", "one")
    together(one, two)
    assert not has_compiled(two) and has_release(two)
    assert any("tar --create" in text for text in one.sent[before:])


def test_a_damaged_pack_is_forgotten_and_one_host_compiles(
    build_host: Callable[..., RoleHost],
) -> None:
    one = build_host("one")
    together(one)
    packs = Path(one.data.get("runtime_packs_directory"))
    (packs / f"{PACK}.tar.gz").write_bytes(BYTES[::-1])  # of the same length
    two, three = build_host("two", "three"), build_host("three", "two")
    together(two, three)
    for host in (two, three):
        assert host.refusal is None and has_release(host)
    assert [has_compiled(host) for host in (two, three)] == [True, False]
    assert any("damaged on this machine" in text for text in two.logged)
    assert sum(f"upload {PACKED}" == text for text in two.sent) == 1
    assert (packs / f"{PACK}.tar.gz").read_bytes() == BYTES  # made anew


def damages(times: int) -> Callable[[RoleHost], tuple[str, ...]]:
    """An answer of sha256sum for a file of which the first `times` arrivals have a wrong bit."""
    left = iter(range(times))

    def answer(host: RoleHost) -> tuple[str, ...]:
        arrived = host.carried.get(PACKED, b"")
        wrong = next(left, None) is not None
        return (hashlib.sha256(arrived[::-1] if wrong else arrived).hexdigest() + "  -",)

    return answer


def test_a_pack_that_arrived_damaged_is_sent_once_more_and_stays_here(
    build_host: Callable[..., RoleHost],
) -> None:
    one = build_host("one")
    together(one)
    two, three = build_host("two", "three"), build_host("three", "two")
    two.answers["sha256sum <"] = damages(1)
    three.answers["sha256sum <"] = damages(9)
    together(two, three)
    assert has_release(two) and not has_compiled(two)
    assert sum(f"upload {PACKED}" == text for text in two.sent) == 2
    # a host that never gets it whole compiles for itself, and the pack is not to blame
    assert has_release(three) and has_compiled(three)
    assert sum(f"upload {PACKED}" == text for text in three.sent) == 2
    assert any("the copy on this machine is right" in text for text in three.logged)
    pack = Path(one.data.get("runtime_packs_directory")) / f"{PACK}.tar.gz"
    assert pack.read_bytes() == BYTES


def test_a_pack_whose_backends_do_not_load_here_is_compiled_here(
    build_host: Callable[..., RoleHost],
) -> None:
    together(build_host("one"))
    two = build_host("two")
    lacks = iter([("libggml-cuda.so: version `GLIBCXX_3.4.33' not found",)])
    two.answers["ldd libggml-*.so"] = lambda _: next(lacks, ())
    together(two)
    assert any("GLIBCXX_3.4.33" in said for said in two.logged)
    assert has_compiled(two) and has_release(two)


@pytest.mark.parametrize("broken", ["upload", "collect", "tar --create"])
def test_a_pack_that_cannot_be_carried_harms_nobody(
    build_host: Callable[..., RoleHost], broken: str
) -> None:
    one, two = build_host("one", "two", cores=32), build_host("two", "one")
    for host in (one, two):
        host.fails_next = lambda text: text.startswith(broken) or f" {broken}" in text
    together(one, two)
    assert one.refusal is None and two.refusal is None
    assert has_release(one) and has_release(two) and has_compiled(one) and has_compiled(two)
    assert any(
        "not kept" in text or "did not arrive" in text for text in (*one.logged, *two.logged)
    )
    # what failed is not done over and over: one host packs its release once, for all
    assert sum("tar --create" in text for text in one.sent) == 1


def test_a_host_of_another_pack_compiles_its_own(build_host: Callable[..., RoleHost]) -> None:
    one, two = build_host("one", "two"), build_host("two", "one", runtime_repository="me/llama.cpp")
    two.effects = {"tar --create": packs}
    together(one, two)
    assert has_compiled(one) and has_compiled(two)
    assert any("b11669-me-llama.cpp-b11669-src-cpu-x86_64" in text for text in two.sent)
