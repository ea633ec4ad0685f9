"""Builds from source as roles do them: who compiles, what is resumed, what others are given."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.context import ctx_host, ctx_state
from pyinfra.facts.files import Directory, File, Sha256File
from pyinfra.facts.server import Command

from boxwright import facts, supply
from boxwright.operation.dnf_repositories import EnabledRepositories
from roles.runtime import build, compiling, leftovers, operations, source
from roles.runtime.leftovers import BuildLeftovers
from roles.runtime.share import Round
from tests.unit.plans import DEBIAN_12, HELP, PASCAL, ROCKY_9, machine, plan_on
from tests.unit.role_host import RoleHost, answered, box, programs

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


@pytest.fixture(autouse=True)
def fresh_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of its own for each test, and a server that has every source."""
    monkeypatch.setattr(compiling, "_round", Round())
    monkeypatch.setattr(compiling, "_unfit", set())
    monkeypatch.setattr(compiling, "_ungiven", set())
    monkeypatch.setattr(supply, "source_tree", lambda *_: URL)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., RoleHost]:
    """Hosts without a card whose glibc no release fits, alike but for their names."""

    def made(name: str, *others: str, cores: int = 8, **data: Any) -> RoleHost:
        on = machine("plain", os=ROCKY_9, cpu={"cores": cores})
        host = box(on, runtime_packs_directory=str(tmp_path / "packs"), **data)
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
            "sha256sum <": lambda h: (
                hashlib.sha256(h.carried.get(PACKED, b"")).hexdigest() + "  -",
            ),
        }
        host.effects["tar --create"] = packs
        host.effects[f"mv -T {STAGE} {WHOLE}"] = installs
        return host

    return made


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


def script_digest(make: Callable[..., RoleHost]) -> str:
    """The sha256 of the script that a build of these options is begun with."""
    host = make("elsewhere")
    host.data.values["runtime_packs_directory"] += "-elsewhere"
    together(host)
    script = next(text for text in host.stdin if "cmake -S source" in text)
    return hashlib.sha256(script.encode()).hexdigest()


def has_compiled(host: RoleHost) -> bool:
    return any("systemd-run" in text for text in host.sent)


def has_release(host: RoleHost) -> bool:
    return facts.Releases in host.facts


# -- one host ----------------------------------------------------------------------------------


def test_a_build_goes_from_source_to_a_release_that_was_asked(
    make: Callable[..., RoleHost],
) -> None:
    host = make("one")
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


def test_the_script_of_the_unit_is_shell_and_holds_every_option(
    make: Callable[..., RoleHost], tmp_path: Path
) -> None:
    host = make("one")
    together(host)
    script = next(text for text in host.stdin if "cmake -S source" in text)
    # CMake is played by a program that prints its arguments, one a line
    with programs(tmp_path, cmake='printf "%s\\n" "$@"') as directory:
        script = script.replace(f"cd {BUILD}", f"cd {tmp_path}")
        path = f"{directory}:/usr/bin:/bin"
        subprocess.run(
            ["sh", "-c", script], env={"PATH": path, "JOBS": "8"}, check=True, timeout=20
        )
    words = (tmp_path / "log").read_text().splitlines()
    assert words[:4] == ["-S", "source", "-B", "out"]
    assert "-DCMAKE_INSTALL_RPATH=$ORIGIN" in words and "-DGGML_CPU_ALL_VARIANTS=ON" in words
    assert "-DLLAMA_BUILD_NUMBER=11669" in words and "-DLLAMA_BUILD_COMMIT=0c1e570" in words
    assert words[-4:] == ["--build", "out", "--parallel", "8"]
    assert (tmp_path / "status").read_text() == "0\n"


def test_cuda_s_kernels_are_compiled_first(tmp_path: Path) -> None:
    """They take longest, and are what a toolkit or a host compiler fails at."""
    runtime = plan_on(DEBIAN_12, PASCAL).runtime
    assert runtime is not None and runtime.source is not None
    script = build.script_of(runtime, runtime.source, "0c1e570")
    script = script.replace(f"cd {build.directory_of(runtime)}", f"cd {tmp_path}")
    with programs(tmp_path, cmake='echo "$@"; test "$6" != ggml-cuda || exit 3') as directory:
        path = f"{directory}:/usr/bin:/bin"
        subprocess.run(["sh", "-c", script], env={"PATH": path, "JOBS": "4"}, check=True)
    first, second = (tmp_path / "log").read_text().splitlines()
    assert "-DCMAKE_CUDA_ARCHITECTURES=61-real" in first
    assert second == "--build out --parallel 4 --target ggml-cuda"
    assert (tmp_path / "status").read_text() == "3\n"


def test_what_a_killed_run_began_is_waited_for_and_not_begun_again(
    make: Callable[..., RoleHost],
) -> None:
    host = make("one")
    host.facts[source.Tree] = "0c1e570"
    host.facts[Sha256File] = script_digest(make)
    watches = iter(["running - [5/9]", "running - [8/9]", "ended 0 [9/9]"])
    host.answers["boxwright-watch"] = lambda _: (next(watches),)
    together(host)
    assert has_release(host) and not has_compiled(host)
    assert not any("curl --config" in text for text in host.sent)
    assert "[8/9]" in "".join(host.logged)


def test_a_build_that_ended_well_before_is_only_installed(make: Callable[..., RoleHost]) -> None:
    host = make("two")
    host.facts |= {source.Tree: "0c1e570", Sha256File: script_digest(make)}
    host.answers["boxwright-watch"] = ("ended 0 [9/9]",)
    together(host)
    assert has_release(host) and not has_compiled(host)
    # other options are another build: ninja does what they change
    other = make("three")
    other.facts |= {source.Tree: "0c1e570", Sha256File: "0" * 64}
    other.answers["boxwright-watch"] = ("ended 0 [9/9]",)
    shutil.rmtree(host.data.get("runtime_packs_directory"))
    together(other)
    assert has_compiled(other)


def test_a_run_that_dies_before_it_begins_a_build_leaves_no_status_of_another_one(
    make: Callable[..., RoleHost],
) -> None:
    """Its script would be there already, and an older build's success would pass for its own."""
    host = make("one")
    host.facts |= {source.Tree: "0c1e570", Sha256File: "0" * 64}
    host.answers["boxwright-watch"] = ("ended 0 [9/9]",)  # a build with other options
    host.fails_next = lambda text: f"cat > {BUILD}/build.sh.part" in text
    together(host)
    assert host.sent[-2] == f"rm -f -- {BUILD}/status"
    assert "build.sh.part" in host.sent[-1] and not has_release(host)


def test_a_unit_that_a_reboot_ended_is_started_once_more_and_then_no_more(
    make: Callable[..., RoleHost],
) -> None:
    host = make("one")
    host.answers["boxwright-watch"] = ("ended - [5/9]",)
    together(host)
    assert "--setenv=JOBS=8" in " ".join(host.sent)
    assert sum("systemd-run" in text for text in host.sent) == build.STARTS
    assert host.refusal is not None and "was ended" in host.refusal and "[5/9]" in host.refusal


def test_an_error_of_the_compiler_is_the_reason_and_the_build_stays(
    make: Callable[..., RoleHost],
) -> None:
    host = make("one")
    watches = iter(["ended - -", "ended 1 [57/171]"])
    host.answers["boxwright-watch"] = lambda _: (next(watches),)
    host.answers["grep -aE"] = ("ggml.c:7: fatal error: no space left on device",)
    together(host)
    assert host.refusal is not None
    assert "[57/171]" in host.refusal and "no space left on device" in host.refusal
    assert f"{BUILD}/log" in host.refusal
    assert not has_release(host) and not any(f"rm -rf -- {BUILD}" == text for text in host.sent)


def test_a_binary_that_is_not_of_the_build_gets_no_name(make: Callable[..., RoleHost]) -> None:
    host = make("one")
    host.answers["--version"] = ("version: 0.7.0 (build 1, commit x)",)
    together(host)
    assert host.refusal is not None and "says build b1, needed b11669" in host.refusal
    assert not has_release(host)


def test_a_source_that_cannot_be_fetched_ends_the_host_with_a_sentence(
    make: Callable[..., RoleHost],
) -> None:
    host = make("one")
    host.answers["curl --config -"] = ("curl: (22) The requested URL returned error: 502",)
    host.fails_next = lambda text: "curl --config -" in text
    together(host)
    assert host.refusal is not None and URL in host.refusal and "502" in host.refusal


# -- many hosts --------------------------------------------------------------------------------


def test_of_hosts_alike_the_fastest_compiles_and_the_others_get_its_pack(
    make: Callable[..., RoleHost],
) -> None:
    one, two, three = (
        make("one", "two", "three"), make("two", "one", "three", cores=32),
        make("three", "one", "two"),
    )  # fmt: skip
    together(one, two, three)
    assert [has_compiled(host) for host in (one, two, three)] == [False, True, False]
    assert all(has_release(host) for host in (one, two, three))
    for host in (one, three):
        assert f"upload {PACKED}" in host.sent and host.carried[PACKED] == BYTES
        assert not any("curl" in text or "install cmake" in text for text in host.sent)
        assert any("--version" in text for text in host.sent)  # what came is asked itself


def failing(host: RoleHost, complaint: str = "") -> RoleHost:
    """A host on which the build ends with an error."""
    host.answers["boxwright-watch"] = ("ended 1 [2/9]",)
    host.answers["grep -aE"] = (complaint,) if complaint else ()
    return host


def lab(make: Callable[..., RoleHost], size: int) -> list[RoleHost]:
    """Hosts that are alike, the first the fastest."""
    names = [f"box{number}" for number in range(size)]
    return [
        make(name, *(other for other in names if other != name), cores=32 - number)
        for number, name in enumerate(names)
    ]


def test_if_the_host_that_compiles_fails_the_next_one_does_and_no_other(
    make: Callable[..., RoleHost],
) -> None:
    hosts = lab(make, 10)
    failing(hosts[0], "fatal error: no space left on device")
    together(*hosts)
    assert hosts[0].refusal is not None and "no space left" in hosts[0].refusal
    assert [has_compiled(host) for host in hosts] == [True, True, *[False] * 8]
    assert all(host.refusal is None and has_release(host) for host in hosts[1:])
    told = "".join(hosts[1].logged)
    assert "box0 could not compile it" in told and "no space left on device" in told


def test_what_two_hosts_cannot_compile_no_other_tries_and_all_are_told_why(
    make: Callable[..., RoleHost],
) -> None:
    hosts = lab(make, 10)
    failing(hosts[0], "ggml.c:7: error: too old a compiler")
    failing(hosts[1], "ggml.c:9: error: another one")
    together(*hosts)
    assert [has_compiled(host) for host in hosts] == [True, True, *[False] * 8]
    for host in hosts[2:]:
        assert host.refusal is not None and not has_release(host)
        for said in ("box0 (", "too old a compiler", "box1 (", "another one"):
            assert said in host.refusal
    # the next run begins anew, with what was mended
    for host in hosts:
        host.answers["boxwright-watch"] = ("ended 0 [9/9]",)
        host.others = tuple(one.name for one in hosts if one is not host)
    compiling._round = Round()
    for operation in ROUND:
        for host in hosts:
            host.run(operation)
    assert all(has_release(host) for host in hosts)


def test_what_pyinfra_only_looked_at_counts_as_no_attempt(make: Callable[..., RoleHost]) -> None:
    """Before it sends anything it asks each body for its first command, to see what would change;
    hosts that fail later, for other reasons, have not failed to compile."""
    hosts = lab(make, 4)
    for operation in ROUND:
        for host in hosts:
            active = [SimpleNamespace(name=one.name) for one in hosts]
            with ctx_state.use(SimpleNamespace(active_hosts=active)), ctx_host.use(host):
                body = operation._inner()
                next(body, None)
                body.close()
    assert compiling._round.begun == {}
    for host in hosts[2:]:  # the first two are gone, their driver did not load
        host.others = tuple(one.name for one in hosts[2:] if one is not host)
    together(*hosts[2:])
    assert all(has_release(host) and host.refusal is None for host in hosts[2:])


def test_a_host_that_a_plain_command_ended_counts_as_one_that_failed(
    make: Callable[..., RoleHost],
) -> None:
    hosts = lab(make, 4)
    for host in hosts[:2]:
        host.fails_next = lambda text: "systemd-run" in text
    for operation in ROUND:  # such a host has no refusal, pyinfra drops it all the same
        for host in [one for one in hosts if not one.name.startswith("gone")]:
            host.run(operation)
            if "systemd-run" in (host.sent or [""])[-1]:
                host.name = f"gone-{host.name}"
        active = [one.name for one in hosts]
        for host in hosts:
            host.others = tuple(name for name in active if name != host.name)
    assert [has_compiled(host) for host in hosts] == [True, True, False, False]
    assert hosts[3].refusal is not None
    assert "box0 (its own messages tell why) nor on box1" in hosts[3].refusal


def test_a_later_host_is_given_what_an_earlier_run_kept(make: Callable[..., RoleHost]) -> None:
    together(make("one"))
    late = make("late")
    together(late)
    assert has_release(late) and not has_compiled(late) and f"upload {PACKED}" in late.sent


def test_a_host_that_has_it_installed_gives_it_without_compiling(
    make: Callable[..., RoleHost],
) -> None:
    one = make("one", "two")
    together(one)
    shutil.rmtree(one.data.get("runtime_packs_directory"))  # another person's machine
    compiling._round.begun.clear()
    before = len(one.sent)
    two = make("two", "one")
    together(one, two)
    assert not has_compiled(two) and has_release(two)
    assert any("tar --create" in text for text in one.sent[before:])


def test_a_damaged_pack_is_forgotten_and_one_host_compiles(make: Callable[..., RoleHost]) -> None:
    one = make("one")
    together(one)
    packs = Path(one.data.get("runtime_packs_directory"))
    (packs / f"{PACK}.tar.gz").write_bytes(BYTES[::-1])  # of the same length
    two, three = make("two", "three"), make("three", "two")
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
    make: Callable[..., RoleHost],
) -> None:
    one = make("one")
    together(one)
    two, three = make("two", "three"), make("three", "two")
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
    make: Callable[..., RoleHost],
) -> None:
    together(make("one"))
    two = make("two")
    lacks = iter([("libggml-cuda.so: version `GLIBCXX_3.4.33' not found",)])
    two.answers["ldd libggml-*.so"] = lambda _: next(lacks, ())
    together(two)
    assert any("GLIBCXX_3.4.33" in said for said in two.logged)
    assert has_compiled(two) and has_release(two)


@pytest.mark.parametrize("broken", ["upload", "collect", "tar --create"])
def test_a_pack_that_cannot_be_carried_harms_nobody(
    make: Callable[..., RoleHost], broken: str
) -> None:
    one, two = make("one", "two", cores=32), make("two", "one")
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


def test_a_host_of_another_pack_compiles_its_own(make: Callable[..., RoleHost]) -> None:
    one, two = make("one", "two"), make("two", "one", runtime_repository="me/llama.cpp")
    two.effects = {"tar --create": packs}
    together(one, two)
    assert has_compiled(one) and has_compiled(two)
    assert any("b11669-me-llama.cpp-b11669-src-cpu-x86_64" in text for text in two.sent)


# -- what the shell does -----------------------------------------------------------------------


@pytest.fixture
def systemctl(tmp_path: Path) -> Iterator[Path]:
    """A systemctl that knows one active unit, named in a file."""
    with programs(
        tmp_path, systemctl=f'test "$3" = "$(cat {tmp_path}/active 2>/dev/null)"'
    ) as directory:
        yield directory


def watched(directory: Path, unit: str, seconds: int = 0) -> str:
    done = subprocess.run(
        ["sh", "-c", build.WATCH, "boxwright-watch", unit, str(directory), str(seconds)],
        env={"PATH": f"{directory}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_watch_tells_state_exit_status_and_progress(systemctl: Path) -> None:
    assert watched(systemctl, "b.service") == "ended - -"
    (systemctl / "active").write_text("b.service")
    (systemctl / "log").write_text("-- configuring\n[1/9] cc\n[2/9] cc\nsome [9/9] text\n")
    assert watched(systemctl, "b.service", 1) == "running - [2/9]"
    (systemctl / "active").unlink()
    (systemctl / "status").write_text("1\n")
    assert watched(systemctl, "b.service", 30) == "ended 1 [2/9]"


def test_leftovers_are_builds_that_no_unit_works_on(
    systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BUILDS", "PACKED", "DOWNLOADS"):
        monkeypatch.setattr(leftovers, name, f"{systemctl}/{name.lower()}")
    toolkits = leftovers.UNPACKING.replace("/opt", str(systemctl))
    monkeypatch.setattr(leftovers, "UNPACKING", toolkits)
    assert answered(BuildLeftovers, systemctl, also=["/nowhere"]) == ()
    for name in ("running", "old"):
        (systemctl / "builds" / name).mkdir(parents=True)
    (systemctl / "packed").mkdir()
    (systemctl / "packed" / "a.tar.gz").touch()
    for name in ("cuda-12.8.part", "cuda-12.8", "cuda-mine.part"):
        (systemctl / name).mkdir()
    (systemctl / "active").write_text("boxwright-build-running.service")
    also = str(systemctl / "active")
    assert answered(BuildLeftovers, systemctl, also=[also, "/nowhere"]) == (
        f"{systemctl}/builds/old", f"{systemctl}/packed/a.tar.gz", f"{systemctl}/cuda-12.8.part",
        also,
    )  # fmt: skip


def test_leftovers_go(make: Callable[..., RoleHost]) -> None:
    host = make("one")
    host.facts[BuildLeftovers] = (BUILD, "/etc/apt/sources.list.d/boxwright-cuda.sources")
    (sent,) = host.run(operations.tidy_releases)
    assert re.search(rf"rm -rf -- .*{BUILD} /etc/apt/sources.list.d/boxwright-cuda.sources", sent)
