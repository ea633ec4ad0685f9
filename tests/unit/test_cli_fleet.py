"""Asking a host from the command line: each time as it is then."""

from __future__ import annotations

from types import SimpleNamespace

from boxwright.cli.fleet import Answers, _ask
from boxwright.machine import Machine
from boxwright.operation import machine_of_host
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost


def test_a_host_is_asked_anew_each_time_for_a_run_of_its_own_process_may_lie_between() -> None:
    host, state = RoleHost(machine("ryzen")), SimpleNamespace(failed_hosts=())
    told = []
    for now in (machine("ryzen"), machine("plain")):
        host.machine = now
        answers: Answers[Machine] = Answers({}, {})
        _ask(state, host, machine_of_host, answers)
        told.append(answers.by_host[host.name])
    assert told == [machine("ryzen"), machine("plain")]
