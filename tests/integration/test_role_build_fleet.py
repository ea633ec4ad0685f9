"""Who of several hosts compiles, who is next if that fails, and what the others are told."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from pyinfra.context import ctx_host, ctx_state

from roles.runtime import compiling
from roles.runtime.share import Round
from tests.integration.building import BYTES, PACKED, ROUND, has_compiled, has_release, together
from tests.unit.role_host import RoleHost


def test_of_hosts_alike_the_fastest_compiles_and_the_others_get_its_pack(
    build_host: Callable[..., RoleHost],
) -> None:
    one, two, three = (
        build_host("one", "two", "three"), build_host("two", "one", "three", cores=32),
        build_host("three", "one", "two"),
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


def lab(build_host: Callable[..., RoleHost], size: int) -> list[RoleHost]:
    """Hosts that are alike, the first the fastest."""
    names = [f"box{number}" for number in range(size)]
    return [
        build_host(name, *(other for other in names if other != name), cores=32 - number)
        for number, name in enumerate(names)
    ]


def test_if_the_host_that_compiles_fails_the_next_one_does_and_no_other(
    build_host: Callable[..., RoleHost],
) -> None:
    hosts = lab(build_host, 10)
    failing(hosts[0], "fatal error: no space left on device")
    together(*hosts)
    assert hosts[0].refusal is not None and "no space left" in hosts[0].refusal
    assert [has_compiled(host) for host in hosts] == [True, True, *[False] * 8]
    assert all(host.refusal is None and has_release(host) for host in hosts[1:])
    told = "".join(hosts[1].logged)
    assert "box0 could not compile it" in told and "no space left on device" in told


def test_what_two_hosts_cannot_compile_no_other_tries_and_all_are_told_why(
    build_host: Callable[..., RoleHost],
) -> None:
    hosts = lab(build_host, 10)
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


def test_what_pyinfra_only_looked_at_counts_as_no_attempt(
    build_host: Callable[..., RoleHost],
) -> None:
    """Before it sends anything it asks each body for its first command, to see what would change;
    hosts that fail later, for other reasons, have not failed to compile."""
    hosts = lab(build_host, 4)
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
    build_host: Callable[..., RoleHost],
) -> None:
    hosts = lab(build_host, 4)
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
