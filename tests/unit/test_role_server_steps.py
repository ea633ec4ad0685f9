"""Bodies of the server role: when the service is written, started, restarted or left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.facts.server import Command

from boxwright import facts
from roles.server import answers, operations, proofs
from roles.server.key import KEY_PATH
from roles.server.unit import UNIT_PATH
from roles.server.wanted import Wish, wish_for_host
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box

KEY = "correct-horse-battery"
RUNNING = facts.ServiceState(
    active_state="active", sub_state="running", main_pid=7, enabled=True, loaded=True,
    vm_lck_mib=1e6, health_status=200,
)  # fmt: skip


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(KEY + "\n")
    return str(file)


def wish_of(host: RoleHost) -> Wish:
    wish = host.ask(wish_for_host)
    assert isinstance(wish, Wish), wish
    return wish


def serving(service: facts.ServiceState, **data: Any) -> RoleHost:
    """The article's ryzen, whose service is in this state; digest "planned" is the right one."""
    host = box(machine("ryzen"), **data)
    host.facts |= {Command: "", facts.DecodeRecords: ()}
    if service.config_digest == "planned":
        service = replace(service, config_digest=wish_of(host).digest)
    host.facts[facts.Service] = lambda unit, port: service
    return host


def test_a_service_that_runs_what_is_planned_is_left_alone() -> None:
    host = serving(replace(RUNNING, config_digest="planned"))
    steps = (
        operations.start_service, answers.wait_until_healthy,
        proofs.prove_service, proofs.prove_residence,
    )  # fmt: skip
    for step in steps:
        assert host.run(step) == []


@pytest.mark.parametrize(
    "service",
    [
        replace(RUNNING, config_digest="of yesterday"),
        replace(RUNNING, config_digest=None),
        replace(RUNNING, config_digest="planned", active_state="failed"),
        replace(RUNNING, config_digest="planned", active_state="activating"),
    ],
    ids=["stale", "not ours", "failed", "restarting"],
)
def test_a_service_is_restarted_for_its_state_not_for_what_this_run_changed(
    service: facts.ServiceState,
) -> None:
    host = serving(service)
    sent = host.run(operations.start_service)
    assert "systemctl restart llama-server.service" in sent[-1]
    assert not any("daemon-reload" in text or "enable" in text for text in sent)
    assert host.run(proofs.prove_service) != [] and host.refusal is not None


def test_a_reload_and_an_enabling_need_no_restart() -> None:
    host = serving(
        replace(RUNNING, config_digest="planned", need_daemon_reload=True, enabled=False)
    )
    assert host.run(operations.start_service) == [
        "systemctl daemon-reload", "systemctl enable --quiet llama-server.service",
    ]  # fmt: skip


def test_a_port_that_another_process_holds_is_refused_before_a_start() -> None:
    host = serving(replace(RUNNING, port_owner=facts.PortOwner(99, "nginx")))
    host.run(operations.start_service)
    assert host.refusal is not None
    assert "8080" in host.refusal and "99 (nginx)" in host.refusal
    assert not any("restart" in text for text in host.sent[:-1])


def test_a_start_that_fails_says_what_the_log_says() -> None:
    host = serving(replace(RUNNING, config_digest="old"))
    host.facts[Command] = "loading\nerror: invalid argument: --mlock\n"
    host.fails_next = lambda text: "systemctl restart" in text
    host.run(operations.start_service)
    assert host.refusal is not None and "invalid argument: --mlock" in host.refusal


def test_waiting_ends_at_once_when_the_service_has_failed() -> None:
    failed = replace(
        RUNNING, active_state="activating", sub_state="auto-restart", health_status=None
    )
    host = serving(failed)
    host.facts[Command] = "cudaMalloc failed: out of memory\n"
    host.run(answers.wait_until_healthy)
    assert host.refusal is not None and "out of memory" in host.refusal


def test_weights_that_are_not_locked_are_refused() -> None:
    loose = replace(RUNNING, config_digest="planned", vm_lck_mib=0.0, memlock_limit="8388608")
    host = serving(loose, server_placement="cpu")
    host.run(proofs.prove_residence)
    assert host.refusal is not None
    assert "VmLck 0 MiB" in host.refusal and "CAP_IPC_LOCK" in host.refusal


def test_the_key_reaches_the_host_on_standard_input_only(key_file: str) -> None:
    host = serving(RUNNING, server_api_key_file=key_file)
    sent = host.run(operations.write_api_key)
    assert KEY + "\n" in host.stdin
    assert "chown root:llama" in sent[-1] and "chmod 0640" in sent[-1]
    host.run(operations.write_unit)
    assert KEY not in "\n".join([*host.sent, *host.logged, *host.files.values(), repr(host.noops)])


def test_a_key_that_is_no_longer_wanted_is_removed() -> None:
    host = serving(RUNNING)
    assert host.run(operations.write_api_key) == []
    host.files[KEY_PATH] = "old\n"
    assert host.run(operations.write_api_key) == [f"rm -f -- {KEY_PATH}"]


def test_another_key_is_another_configuration(tmp_path: Path, key_file: str) -> None:
    first = wish_of(serving(RUNNING, server_api_key_file=key_file)).digest
    assert first == wish_of(serving(RUNNING, server_api_key_file=key_file)).digest
    Path(key_file).write_text("another\n")
    assert first != wish_of(serving(RUNNING, server_api_key_file=key_file)).digest


def test_the_unit_is_written_once_and_old_dropins_of_ours_go() -> None:
    host = serving(RUNNING, server_dropins={"nice": "[Service]\nNice=1\n"})
    host.directories.add(f"{UNIT_PATH}.d")
    host.run(operations.write_unit)
    assert "Nice=1" in host.files[f"{UNIT_PATH}.d/nice.conf"]
    assert host.files[UNIT_PATH] == wish_of(host).unit_text
    assert host.run(operations.write_unit) == []
    host.facts[Command] = f"{UNIT_PATH}.d/nice.conf\n{UNIT_PATH}.d/old.conf"
    assert host.run(operations.write_unit) == [f"rm -f -- {UNIT_PATH}.d/old.conf"]
