"""One host builds from source: to the end, after a killed run, and where it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from pyinfra.facts.files import Sha256File

from roles.runtime import build, source
from tests.integration.building import (
    BUILD,
    PACKED,
    STAGE,
    URL,
    WHOLE,
    has_compiled,
    has_release,
    script_digest,
    together,
)
from tests.unit.role_host import RoleHost


def test_a_build_goes_from_source_to_a_release_that_was_asked(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("one")
    together(host)
    assert host.refusal is None and has_release(host)
    order = [
        f"mkdir -p {BUILD}", "curl --config -", "tar --extract --gzip --no-same-owner",
        f"cat > {BUILD}/build.sh.part", "systemd-run", f"{BUILD} 10",
        f"cp -a --no-preserve=ownership,context {BUILD}/out/bin/.", "ldd libggml-*.so",
        "--version", "--help",
        f"cat > {STAGE}/boxwright.json.part", f"mv -T {STAGE} {WHOLE}",
        "tar --create", f"collect {PACKED}",
    ]  # fmt: skip
    places = [next(i for i, text in enumerate(host.sent) if part in text) for part in order]
    assert places == sorted(places)
    assert places[11] < host.sent.index(f"rm -rf -- {BUILD}") < places[12]
    assert f'url = "{URL}"' in "".join(host.stdin)
    assert "[3/9]" in "".join(host.logged)
    again = len(host.sent)
    together(host)
    assert host.sent[again:] == []  # and a second run changes nothing


def test_what_a_killed_run_began_is_waited_for_and_not_begun_again(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("one")
    host.facts[source.Tree] = "0c1e570"
    host.facts[Sha256File] = script_digest(build_host)
    watches = iter(["running - [5/9]", "running - [8/9]", "ended 0 [9/9]"])
    host.answers["boxwright-watch"] = lambda _: (next(watches),)
    together(host)
    assert has_release(host) and not has_compiled(host)
    assert not any("curl --config" in text for text in host.sent)
    assert "[8/9]" in "".join(host.logged)


def test_a_build_that_ended_well_before_is_only_installed(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("two")
    host.facts |= {source.Tree: "0c1e570", Sha256File: script_digest(build_host)}
    host.answers["boxwright-watch"] = ("ended 0 [9/9]",)
    together(host)
    assert has_release(host) and not has_compiled(host)
    # other options are another build: ninja does what they change
    other = build_host("three")
    other.facts |= {source.Tree: "0c1e570", Sha256File: "0" * 64}
    other.answers["boxwright-watch"] = ("ended 0 [9/9]",)
    shutil.rmtree(host.data.get("runtime_packs_directory"))
    together(other)
    assert has_compiled(other)


def test_a_run_that_dies_before_it_begins_a_build_leaves_no_status_of_another_one(
    build_host: Callable[..., RoleHost],
) -> None:
    """Its script would be there already, and an older build's success would pass for its own."""
    host = build_host("one")
    host.facts |= {source.Tree: "0c1e570", Sha256File: "0" * 64}
    host.answers["boxwright-watch"] = ("ended 0 [9/9]",)  # a build with other options
    host.fails_next = lambda text: f"cat > {BUILD}/build.sh.part" in text
    together(host)
    assert host.sent[-2] == f"rm -f -- {BUILD}/status"
    assert "build.sh.part" in host.sent[-1] and not has_release(host)


def test_a_unit_that_a_reboot_ended_is_started_once_more_and_then_no_more(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("one")
    host.answers["boxwright-watch"] = ("ended - [5/9]",)
    together(host)
    assert "--setenv=JOBS=8" in " ".join(host.sent)
    assert sum("systemd-run" in text for text in host.sent) == build.STARTS
    assert host.refusal is not None and "was ended" in host.refusal and "[5/9]" in host.refusal


def test_an_error_of_the_compiler_is_the_reason_and_the_build_stays(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("one")
    watches = iter(["ended - -", "ended 1 [57/171]"])
    host.answers["boxwright-watch"] = lambda _: (next(watches),)
    host.answers["grep -aE"] = ("ggml.c:7: fatal error: no space left on device",)
    together(host)
    assert host.refusal is not None
    assert "[57/171]" in host.refusal and "no space left on device" in host.refusal
    assert f"{BUILD}/log" in host.refusal
    assert not has_release(host) and not any(f"rm -rf -- {BUILD}" == text for text in host.sent)


def test_a_binary_that_is_not_of_the_build_gets_no_name(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("one")
    host.answers["--version"] = ("version: 0.7.0 (build 1, commit x)",)
    together(host)
    assert host.refusal is not None and "says build b1, needed b11669" in host.refusal
    assert not has_release(host)


def test_a_source_that_cannot_be_fetched_ends_the_host_with_a_sentence(
    build_host: Callable[..., RoleHost],
) -> None:
    host = build_host("one")
    host.answers["curl --config -"] = ("curl: (22) The requested URL returned error: 502",)
    host.fails_next = lambda text: "curl --config -" in text
    together(host)
    assert host.refusal is not None and URL in host.refusal and "502" in host.refusal
