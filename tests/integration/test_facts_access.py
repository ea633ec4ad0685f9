"""Access: who a login is on the host, and what it may do; sudo is a stand-in."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from pyinfra.api import FactProcessError

from boxwright.facts import Access, AccessState
from tests.unit.probing import run_script
from tests.unit.shell import write_program


def access(scratch: Path, path: str) -> AccessState:
    text = run_script(["sh", "-c", f"PATH={path}\n{Access().command()}"], None, scratch)
    return Access().process(text.splitlines())


def test_access_of_whoever_runs_this(tmp_path: Path) -> None:
    before = time.time()
    state = access(tmp_path, os.environ["PATH"])
    assert state.uid == os.getuid()
    assert int(before) <= state.epoch_s <= time.time() + 1
    assert state.init == Path("/proc/1/comm").read_text().strip()
    if state.uid == 0:
        assert state.sudo and state.sudo_said == ""


@pytest.mark.parametrize(
    ("sudo", "allowed", "said"),
    [
        ("exit 0", True, ""),
        ("echo 'sudo: a password is required' >&2; exit 1", False, "sudo: a password is required"),
        (
            "printf 'Sorry,\\tuser x may\\nnot run sudo\\n'; exit 1",
            False,
            "Sorry, user x may not run sudo",
        ),
    ],
)
def test_access_of_an_ordinary_user(sudo: str, allowed: bool, said: str, tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "id", '[ "$1" = -un ] && echo engineer || echo 1000')
    write_program(tmp_path / "bin" / "sudo", sudo)
    state = access(tmp_path, f"{tmp_path}/bin:$PATH")
    assert (state.uid, state.user, state.sudo, state.sudo_said) == (1000, "engineer", allowed, said)


@pytest.mark.parametrize(
    "output", [["-bash: no such thing"], ["who\t0\troot"], ["clock\tx", "init\t"]]
)
def test_an_answer_that_is_none_fails_the_host(output: list[str]) -> None:
    with pytest.raises(FactProcessError):
        Access().process(output)
