"""Wrong input on real hosts: each fails its own host, in one sentence, and leaves it as it was.

Hosts with something different wrong take part in one run, always beside a healthy one.

What needs a machine that the lab cannot show (another OS, no systemd, a wrong clock, a small disk)
is in tests/integration/test_fleet.py.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.held import port_held, vram_held
from tests.lab.hub_faults import hub_faults
from tests.lab.runs import Run, run, variant

pytestmark = pytest.mark.lab

HEALTHY = "pro6000"
WATCHED = "/etc /opt /srv /usr/local /var/lib/boxwright"


def state_of(far: Far) -> tuple[str, str]:
    """Files with their times in the places we write to, and which process serves."""
    files = far.said(
        f"find {WATCHED} -type f -printf '%p %s %T@\\n' 2>/dev/null | sort | sha256sum"
    )
    return files, far.said("systemctl show -P MainPID llama-server.service")


@contextmanager
def left_as_it_was(lab: RunningLab, *names: str) -> Iterator[None]:
    """Fails if a host's files or its server's process differ afterwards."""
    before = {name: state_of(Far(lab, name)) for name in names}
    yield
    assert {name: state_of(Far(lab, name)) for name in names} == before


def run_with(lab: RunningLab, directory: Path, data: Mapping[str, Mapping[str, Any]]) -> Run:
    """Run with other data for some hosts, beside a healthy one; just those may fail."""
    done = run(lab, variant(directory, data, [*data, HEALTHY]))
    assert done.code != 0
    assert done.failed == set(data), done.log[-4000:]
    assert done.changed(HEALTHY) == []
    return done


def refused_with(
    lab: RunningLab,
    directory: Path,
    data: Mapping[str, Mapping[str, Any]],
    said: Mapping[str, str],
) -> Run:
    """The same, where each host is refused with a word of its own, and left as it was."""
    with left_as_it_was(lab, HEALTHY, *data):
        refused = run_with(lab, directory, data)
    assert refused.refusals.keys() == data.keys()
    for host, word in said.items():
        assert word in refused.refusals[host]
        assert "Cure:" in refused.refusals[host]
    return refused


@pytest.fixture
def other_key(tmp_path: Path) -> str:
    key = tmp_path / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return str(key)


def forged_known_hosts(lab: RunningLab, directory: Path, host: str) -> str:
    """A file in which this host has the key of the healthy one."""
    real = Path(lab.document["ssh"]["known_hosts"]).read_text().split("\n")
    ours = next(line for line in real if Far(lab, HEALTHY).address in line)
    key = ours.split(" ", 1)[1]
    forged = directory / "known_hosts"
    forged.write_text(f"{Far(lab, host).address} {key}\n{ours}\n")
    return str(forged)


def test_a_wrong_ssh_key_a_host_that_is_not_there_and_a_host_key_that_changed(
    lab: RunningLab, converged: Run, tmp_path: Path, other_key: str
) -> None:
    data = {
        "plain": {"ssh_key": other_key},
        "ryzen": {"ssh_hostname": f"10.77.{lab.lab.number}.99"},
        "xeon": {"ssh_known_hosts_file": forged_known_hosts(lab, tmp_path, "xeon")},
    }
    with left_as_it_was(lab, HEALTHY, *data):
        refused = run_with(lab, tmp_path, data)
    assert "uthentication" in lines_of(refused, "plain")
    assert "uthentication" not in lines_of(refused, "ryzen")
    assert "Host key" in lines_of(refused, "xeon")


def lines_of(run: Run, host: str) -> str:
    """What a run said of one host."""
    return "\n".join(line for line in run.log.splitlines() if f"[{host}]" in line)


def test_a_hub_that_does_not_give_the_model(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    """Gated, absent, broken; the healthy host's own model is among them, and is not asked for."""
    faults: dict[str, dict[str, Any]] = {
        "mini-moe": {"gated": True}, "gemma-3-270m": {"status": 404}, "tiny-moe": {"status": 500}
    }  # fmt: skip
    data = {
        "xeon": {"model": "mini-moe"},
        "ryzen": {"model": "gemma-3-270m"},
        "plain": {"model": "tiny-moe"},
    }
    with hub_faults(lab, faults):
        refused_with(lab, tmp_path, data, {"xeon": "401", "ryzen": "404", "plain": "500"})


def test_weights_that_arrive_corrupted(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    plain = Far(lab, "plain")
    serving = state_of(plain)[1]
    with hub_faults(lab, {"mini-moe": {"corrupt": True}}):
        refused = run_with(lab, tmp_path, {"plain": {"model": "mini-moe"}})
    assert "sha256" in refused.refusals["plain"]
    assert plain.said("find /srv/models -path '*mini-moe*' -name '*.gguf*'") == ""
    assert state_of(plain)[1] == serving, "the server that was there still serves"
    assert run(lab, variant(tmp_path, {}, ["plain"])).code == 0


def test_a_sum_a_release_and_an_asset_that_do_not_exist(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    catalog = copy.deepcopy(lab.document["models"])
    pinned = catalog["mini-moe"]["sha256"]
    pinned.update(dict.fromkeys(pinned, "0" * 64))
    no_release = [
        json.loads(json.dumps(row).replace(build["build"], "b99999"))
        for build in lab.document["builds"]
        for row in build["asset_rows"]
    ]
    newest = max(lab.document["builds"], key=lambda build: int(build["build"][1:]))
    no_asset = json.dumps(newest["asset_rows"]).replace(".tar.gz", "-wanted.tar.gz")
    data: dict[str, dict[str, Any]] = {
        "ryzen": {"model": "mini-moe", "models_catalog": catalog},
        "xeon": {"runtime_build": "b99999", "runtime_asset_rows": no_release},
        "plain": {"runtime_build": newest["build"], "runtime_asset_rows": json.loads(no_asset)},
    }
    said = {"ryzen": "0" * 12, "xeon": "b99999", "plain": "-wanted.tar.gz"}
    refused_with(lab, tmp_path, data, said)


def test_options_that_cannot_be_meant(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    data: dict[str, dict[str, Any]] = {
        "ryzen": {"model": "no-such-model"},
        "xeon": {"server_context": "many"},
        "plain": {"server_host": "0.0.0.0", "server_api_key_file": None},
    }
    said = {"ryzen": "no-such-model", "xeon": "server_context", "plain": "key"}
    refused_with(lab, tmp_path, data, said)


def test_a_port_and_vram_that_something_else_holds(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    data = {
        "plain": {"server_port": 9090},
        # another ubatch makes it a new plan: what is running now is not what is wanted
        "ryzen": {"server_ubatch": 256},
    }
    with port_held(Far(lab, "plain"), 9090), vram_held(Far(lab, "ryzen"), 32000):
        refused = refused_with(lab, tmp_path, data, {"plain": "9090", "ryzen": "VRAM"})
    assert "python3" in refused.refusals["plain"]


def test_memory_that_cannot_be_locked_is_told_with_its_cure(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    """Without the drop-in a lab host lacks CAP_IPC_LOCK, and a failed mlock is only a log line."""
    refused = run_with(lab, tmp_path, {"plain": {"server_dropins": {}}})
    assert "lock" in refused.refusals["plain"]
    assert "CAP_IPC_LOCK" in refused.refusals["plain"]
    mended = run(lab, variant(tmp_path, {}, ["plain"]))
    assert mended.code == 0, mended.log[-4000:]
