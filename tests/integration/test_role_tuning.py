"""The tuning role: only keys the kernel has, only where the live value differs, and its proofs."""

from __future__ import annotations

from pathlib import Path

import pytest

from roles.tuning import operations, proofs
from roles.tuning.state import Governors, GovernorState, KernelSettings, UnitState
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box
from tests.unit.shell import answered

SWAPPINESS, BALANCING = "vm.swappiness", "kernel.numa_balancing"
SETTLED = ("LoadState=loaded", "ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no")
NEW = ("LoadState=loaded", "ActiveState=inactive", "UnitFileState=disabled", "NeedDaemonReload=no")
BOTH = frozenset({"performance", "powersave"})


def xeon(live: dict[str, str], **data: object) -> RoleHost:
    host = box(machine("xeon"), **data)
    host.facts[KernelSettings] = lambda keys: {k: v for k, v in live.items() if k in keys}
    return host


def governed(used: set[str], offered: frozenset[str], unit: tuple[str, ...] = NEW) -> RoleHost:
    host = box(machine("ryzen"))
    host.facts |= {Governors: GovernorState(frozenset(used), offered), UnitState: unit}
    return host


def test_settings_are_written_and_applied_where_they_differ() -> None:
    live = {SWAPPINESS: "60", BALANCING: "1"}
    host = xeon(live)
    sent = host.run(operations.set_kernel)
    text = host.files[operations.SYSCTL]
    assert "vm.swappiness = 10\n" in text and "kernel.numa_balancing = 0\n" in text
    assert "sysctl --quiet -p /etc/sysctl.d/90-boxwright.conf" in sent[-1]
    live.update({SWAPPINESS: "10", BALANCING: "0"})
    assert host.run(operations.set_kernel) == []


def test_a_file_in_place_is_applied_when_a_live_value_drifted() -> None:
    live = {SWAPPINESS: "10", BALANCING: "0"}
    host = xeon(live)
    host.run(operations.set_kernel)
    live[SWAPPINESS] = "60"
    (sent,) = host.run(operations.set_kernel)
    assert sent.startswith("sysctl ")


def test_a_key_that_this_kernel_lacks_is_not_written() -> None:
    host = xeon({SWAPPINESS: "60"})
    host.run(operations.set_kernel)
    assert "numa_balancing" not in host.files[operations.SYSCTL]
    assert host.run(proofs.prove_kernel) and "numa" not in str(host.refusal)


def test_options_set_to_none_leave_the_kernel_alone_and_take_our_file_away() -> None:
    host = xeon({SWAPPINESS: "60"}, tuning_swappiness=None, tuning_numa_balancing=None)
    host.files[operations.SYSCTL] = "old"
    assert host.run(operations.set_kernel) == [f"rm -f {operations.SYSCTL}"]


def test_one_node_is_not_balanced() -> None:
    host = box(machine("ryzen"))
    host.facts[KernelSettings] = lambda keys: {key: "60" for key in keys}
    host.run(operations.set_kernel)
    assert "numa_balancing" not in host.files[operations.SYSCTL]


def test_a_value_that_does_not_hold_is_named() -> None:
    host = xeon({SWAPPINESS: "60", BALANCING: "0"})
    host.run(proofs.prove_kernel)
    assert host.refusal is not None
    assert "vm.swappiness is 60, needed 10" in host.refusal and "Cure:" in host.refusal
    host = xeon({SWAPPINESS: "10", BALANCING: "0"})
    assert host.run(proofs.prove_kernel) == []


def test_the_governor_is_set_by_a_unit_for_every_boot() -> None:
    host = governed({"powersave"}, BOTH)
    sent = host.run(operations.set_governor)
    unit = host.files[operations.GOVERNOR]
    assert "echo performance" in unit and "WantedBy=multi-user.target" in unit
    assert any(one.startswith("systemctl enable") for one in sent)
    assert sent[-1].startswith("systemctl restart boxwright-governor.service")
    host.facts |= {Governors: GovernorState(frozenset({"performance"}), BOTH), UnitState: SETTLED}
    assert host.run(operations.set_governor) == []


@pytest.mark.parametrize("load_state", ["not-found", "error"])
def test_a_unit_that_systemd_did_not_read_is_read_before_it_is_started(load_state: str) -> None:
    """systemd then says NeedDaemonReload=no, and refuses to start it (EBUSY): seen in the lab."""
    shown = (f"LoadState={load_state}", *SETTLED[1:])
    host = governed({"powersave"}, BOTH, shown)
    sent = host.run(operations.set_governor)
    assert sent.index("systemctl daemon-reload") < len(sent) - 1
    assert sent[-1].startswith("systemctl restart")


@pytest.mark.parametrize(
    "state",
    [GovernorState(), GovernorState(frozenset({"schedutil"}), frozenset({"schedutil"}))],
    ids=["no-cpufreq", "not-offered"],
)
def test_where_it_cannot_be_set_there_is_no_unit_and_no_complaint(state: GovernorState) -> None:
    host = box(machine("ryzen"))
    host.facts[Governors] = state
    assert host.run(operations.set_governor) == []
    assert host.run(proofs.prove_governor) == []
    host.files[operations.GOVERNOR] = "from another kernel"
    assert any("disable" in command for command in host.run(operations.set_governor))


def test_one_cpu_with_another_governor_is_told() -> None:
    host = governed({"performance", "powersave"}, BOTH)
    host.run(proofs.prove_governor)
    assert host.refusal is not None and "powersave" in host.refusal


def test_the_memory_lock_limit_is_lifted_for_the_account() -> None:
    host = RoleHost()
    host.run(operations.allow_locked_memory)
    rules = [line for line in host.files[operations.LIMITS].splitlines() if line[0] != "#"]
    assert rules == ["llama - memlock unlimited"]
    assert host.run(operations.allow_locked_memory) == []


def test_live_settings_are_read_from_this_kernel() -> None:
    here = Path("/proc/sys/vm/swappiness")
    if not here.exists():
        pytest.skip("needs /proc/sys")
    found = answered(KernelSettings, keys=[SWAPPINESS, "vm.no_such_key", "net.ipv4.tcp_rmem"])
    assert found[SWAPPINESS] == here.read_text().strip()
    assert "vm.no_such_key" not in found
    assert len(found.get("net.ipv4.tcp_rmem", "1 2 3").split(" ")) == 3


def test_governors_of_all_cpus_are_joined() -> None:
    said = ["performance : performance powersave", "powersave : powersave performance", "x : x"]
    assert Governors().process(said[:2]) == GovernorState(BOTH, BOTH)
    assert Governors().process(said).offered == frozenset()
    assert Governors().process(["userspace :"]) == GovernorState(frozenset({"userspace"}))
