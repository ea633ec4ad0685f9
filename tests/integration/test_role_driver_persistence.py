"""The persistence daemon: turned on where Ubuntu's unit has it off."""

from __future__ import annotations

from roles.driver import persistence
from roles.driver.persistence import Persistence, PersistenceState, persistent
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box

NVIDIA_620 = {
    "loaded": "620.36.01", "installed": "620.36.01", "flavour": "open", "userspace": "620.36.01",
}  # fmt: skip
UBUNTU = [
    "LoadState=loaded",
    "ActiveState=active",
    "UnitFileState=static",
    "NeedDaemonReload=no",
    "MainPID=71",
    "ExecStart={ path=/usr/bin/nvidia-persistenced ; argv[]=/usr/bin/nvidia-persistenced"
    " --user nvidia-persistenced --no-persistence-mode --verbose ; ignore_errors=no ;"
    " start_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }",
    "Running=/usr/bin/nvidia-persistenced --user nvidia-persistenced --no-persistence-mode ",
]


def keeping(state: PersistenceState) -> RoleHost:
    host = box(machine("ryzen", nvidia=NVIDIA_620))
    host.facts[Persistence] = state
    return host


def test_ubuntu_s_unit_that_turns_persistence_off_is_turned_round() -> None:
    host = keeping(Persistence().process(UBUNTU))
    host.run(persistence.keep_loaded)
    text = host.files[persistence.OVERRIDE]
    starts = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert starts == [
        "ExecStart=",
        "ExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced --verbose",
    ]
    assert "systemctl daemon-reload" in host.sent
    assert any("systemctl restart nvidia-persistenced.service" in one for one in host.sent)


def test_a_daemon_that_runs_as_it_should_is_left_alone() -> None:
    good = persistent("/usr/bin/nvidia-persistenced --user nvpd")
    state = PersistenceState(True, good, good, active=True, enabled="enabled")
    assert keeping(state).run(persistence.keep_loaded) == []


def test_a_daemon_that_still_runs_the_old_way_is_restarted() -> None:
    """The run was killed between the drop-in and the restart."""
    good = "/usr/bin/nvidia-persistenced --verbose"
    old = f"{good} --no-persistence-mode"
    state = PersistenceState(True, good, old, active=True, enabled="static", needs_reload=True)
    reload, restart = keeping(state).run(persistence.keep_loaded)
    assert reload == "systemctl daemon-reload"
    assert restart.startswith("systemctl restart")


def test_without_its_package_nothing_is_done() -> None:
    assert keeping(PersistenceState()).run(persistence.keep_loaded) == []
