"""Wrong input on real hosts: each fails its own host, in one sentence, and leaves it as it was.

What needs a machine that the lab cannot show (another OS, no systemd, a wrong clock, a small disk)
is in tests/integration/test_fleet.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
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


def run_with(lab: RunningLab, directory: Path, host: str, **data: Any) -> Run:
    """Run with other data for one host, beside a healthy one; only the one may fail."""
    done = run(lab, variant(directory, {host: data}, [host, HEALTHY]))
    assert done.code != 0
    assert done.failed == {host}, done.log[-4000:]
    assert done.changed(HEALTHY) == []
    return done


@contextmanager
def hub_faults(lab: RunningLab, model: str, **fault: Any) -> Iterator[None]:
    """Make the Hub server misbehave for one model's repository."""
    faults = lab.lab.state / "hub-faults.json"
    faults.write_text(json.dumps({lab.document["models"][model]["repository"]: fault}))
    try:
        yield
    finally:
        faults.unlink()


@pytest.fixture
def other_key(tmp_path: Path) -> str:
    key = tmp_path / "other_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return str(key)


def test_a_wrong_ssh_key(lab: RunningLab, converged: Run, tmp_path: Path, other_key: str) -> None:
    with left_as_it_was(lab, "plain"):
        refused = run_with(lab, tmp_path, "plain", ssh_key=other_key)
    assert "uthentication" in refused.log


def test_a_host_that_is_not_there(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    nowhere = f"10.77.{lab.lab.number}.99"
    run_with(lab, tmp_path, "plain", ssh_hostname=nowhere)


def test_a_host_key_that_changed(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    forged = tmp_path / "known_hosts"
    real = Path(lab.document["ssh"]["known_hosts"]).read_text().split("\n")
    ours = next(line for line in real if Far(lab, HEALTHY).address in line)
    key = ours.split(" ", 1)[1]
    forged.write_text(f"{Far(lab, 'plain').address} {key}\n{ours}\n")
    run_with(lab, tmp_path, "plain", ssh_known_hosts_file=str(forged))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"gated": True}, "401"),
        ({"status": 404}, "404"),
        ({"status": 500}, "500"),
    ],
    ids=["gated", "absent", "broken"],
)
def test_a_hub_that_does_not_give_the_model(
    lab: RunningLab, converged: Run, tmp_path: Path, fault: dict[str, Any], said: str
) -> None:
    with left_as_it_was(lab, "plain"), hub_faults(lab, "mini-moe", **fault):
        refused = run_with(lab, tmp_path, "plain", model="mini-moe")
    assert said in refused.refusals["plain"]
    assert "Cure:" in refused.refusals["plain"]


def test_weights_that_arrive_corrupted(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    plain = Far(lab, "plain")
    serving = state_of(plain)[1]
    with hub_faults(lab, "mini-moe", corrupt=True):
        refused = run_with(lab, tmp_path, "plain", model="mini-moe")
    assert "sha256" in refused.refusals["plain"]
    assert plain.said("find /srv/models -path '*mini-moe*' -name '*.gguf*'") == ""
    assert state_of(plain)[1] == serving, "the server that was there still serves"
    assert run(lab).code == 0


def test_a_pinned_sum_that_the_hub_does_not_have(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    catalog = json.loads(json.dumps(lab.document["models"]))
    pinned = catalog["mini-moe"]["sha256"]
    pinned.update(dict.fromkeys(pinned, "0" * 64))
    with left_as_it_was(lab, "plain"):
        refused = run_with(lab, tmp_path, "plain", model="mini-moe", models_catalog=catalog)
    assert "0" * 12 in refused.refusals["plain"]


def test_a_release_that_does_not_exist(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    rows = [
        json.loads(json.dumps(row).replace(build["build"], "b99999"))
        for build in lab.document["builds"]
        for row in build["asset_rows"]
    ]
    with left_as_it_was(lab, "plain"):
        refused = run_with(lab, tmp_path, "plain", runtime_build="b99999", runtime_asset_rows=rows)
    assert "b99999" in refused.refusals["plain"]


def test_a_release_without_the_wanted_asset(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    newest = max(lab.document["builds"], key=lambda build: int(build["build"][1:]))
    text = json.dumps(newest["asset_rows"]).replace(".tar.gz", "-wanted.tar.gz")
    with left_as_it_was(lab, "plain"):
        refused = run_with(
            lab,
            tmp_path,
            "plain",
            runtime_build=newest["build"],
            runtime_asset_rows=json.loads(text),
        )
    assert "-wanted.tar.gz" in refused.refusals["plain"]


def test_a_port_that_something_else_holds(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    plain = Far(lab, "plain")
    listen = 'import socket,time; s=socket.create_server(("0.0.0.0",9090)); time.sleep(600)'
    plain.said(f"systemd-run -q --unit=squatter python3 -c '{listen}'; sleep 1")
    try:
        with left_as_it_was(lab, "plain"):
            refused = run_with(lab, tmp_path, "plain", server_port=9090)
    finally:
        plain.said("systemctl stop squatter.service")
    assert "9090" in refused.refusals["plain"]
    assert "python3" in refused.refusals["plain"]


def test_vram_that_another_process_holds(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    ryzen = Far(lab, "ryzen")
    used = ryzen.said("cut -d, -f5 /run/boxwright-lab/gpus.csv")
    ryzen.said(f"echo '32000 4242 blender' >{used}")
    try:
        # another ubatch makes it a new plan: what is running now is not what is wanted
        with left_as_it_was(lab, "ryzen"):
            refused = run_with(lab, tmp_path, "ryzen", server_ubatch=256)
    finally:
        ryzen.said(f"echo 0 >{used}")
    assert "VRAM" in refused.refusals["ryzen"]


def test_memory_that_cannot_be_locked_is_told_with_its_cure(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    """Without the drop-in a lab host lacks CAP_IPC_LOCK, and a failed mlock is only a log line."""
    refused = run_with(lab, tmp_path, "plain", server_dropins={})
    assert "lock" in refused.refusals["plain"]
    assert "CAP_IPC_LOCK" in refused.refusals["plain"]
    mended = run(lab)
    assert mended.code == 0, mended.log[-4000:]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"model": "no-such-model"}, "no-such-model"),
        ({"server_context": "many"}, "server_context"),
        ({"server_host": "0.0.0.0", "server_api_key_file": None}, "key"),
    ],
    ids=["unknown-model", "wrong-type", "open-without-key"],
)
def test_options_that_cannot_be_meant(
    lab: RunningLab, converged: Run, tmp_path: Path, data: dict[str, Any], said: str
) -> None:
    with left_as_it_was(lab, "plain"):
        refused = run_with(lab, tmp_path, "plain", **data)
    assert said in refused.refusals["plain"]
