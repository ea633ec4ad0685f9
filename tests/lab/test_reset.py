"""A host with a new root file system converges again, and its model disk spares the Hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.runs import Run, run

pytestmark = pytest.mark.lab


def weight_bytes_sent(lab: RunningLab, client: str, after_line: int) -> int:
    """Bytes of model files that the Hub's servers sent to one address since a line of their log."""
    lines = hub_log(lab).read_text().splitlines()[after_line:]
    entries = [json.loads(line) for line in lines]
    return sum(e["bytes_sent"] for e in entries if e["client"] == client and ".gguf" in e["path"])


def hub_log(lab: RunningLab) -> Path:
    return lab.lab.state / "hub.log"


def test_the_first_converge_did_fetch_weights(lab: RunningLab, converged: Run) -> None:
    """Without this, zero bytes below would prove nothing."""
    assert weight_bytes_sent(lab, Far(lab, "plain").address, 0) > 200_000_000


def test_a_reinstalled_host_converges_without_a_byte_of_weights(
    lab: RunningLab, converged: Run, reset_host: Callable[[str], None]
) -> None:
    seen = len(hub_log(lab).read_text().splitlines())
    old_boot = Far(lab, "xeon").said("cat /proc/sys/kernel/random/boot_id")
    reset_host("xeon")
    xeon = Far(lab, "xeon")
    assert xeon.said("cat /proc/sys/kernel/random/boot_id") != old_boot
    assert not xeon.holds("/opt/llama.cpp") and not xeon.holds("/etc/boxwright")

    again = run(lab)
    assert again.code == 0, again.log[-6000:]
    assert xeon.said("systemctl is-active llama-server.service") == "active"
    assert weight_bytes_sent(lab, xeon.address, seen) == 0
    for name in ("ryzen", "pro6000", "plain"):
        assert again.changed(name) == []

    third = run(lab)
    assert (third.totals["success"], third.totals["error"]) == (0, 0)
