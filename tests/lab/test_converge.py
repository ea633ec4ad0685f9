"""The main job: four fresh hosts become four hosts that serve, and a second run changes nothing."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import testinfra

from tests.lab.conftest import RunningLab
from tests.lab.far import Far, key_of
from tests.lab.runs import Run, run

pytestmark = pytest.mark.lab

HOSTS = ["xeon", "ryzen", "pro6000", "plain"]
WITH_CARDS = {"xeon": 2, "ryzen": 1, "pro6000": 1}


def inside(lab: RunningLab, name: str) -> Any:
    """A testinfra host: its own SSH client and its own way of looking."""
    ssh = lab.document["ssh"]
    far = Far(lab, name)
    return testinfra.get_host(
        f"paramiko://{far.user}@{far.address}",
        ssh_config=ssh["config"],
        ssh_identity_file=ssh["key"],
        sudo=far.user != "root",
    )


def arguments(lab: RunningLab, name: str) -> list[str]:
    """The arguments of the running server, from the kernel."""
    pid = Far(lab, name).said("systemctl show -P MainPID llama-server.service")
    assert pid != "0"
    return Far(lab, name).said(f"tr '\\0' '\\n' < /proc/{pid}/cmdline").split("\n")


def test_all_fresh_hosts_become_serving_hosts_in_one_run(converged: Run) -> None:
    assert converged.code == 0, converged.log[-6000:]
    assert converged.failed == set()
    for name in HOSTS:
        assert converged.changed(name)


def test_a_second_run_changes_nothing_on_any_host(lab: RunningLab, converged: Run) -> None:
    again = run(lab)
    assert again.code == 0, again.log[-6000:]
    assert (again.totals["success"], again.totals["error"]) == (0, 0)
    assert again.report is not None
    for operation in again.report["results"]["operations"]:
        assert operation["no_change"] == sorted(HOSTS), operation["name"]


@pytest.mark.parametrize("name", HOSTS)
def test_the_service_runs_as_its_own_user_and_is_enabled(
    lab: RunningLab, converged: Run, name: str
) -> None:
    host = inside(lab, name)
    service = host.service("llama-server")
    assert service.is_running and service.is_enabled
    (server,) = [p for p in host.process.filter(user="llama") if "llama" in p.args]
    assert server.user == "llama"
    assert host.socket("tcp://0.0.0.0:8080").is_listening
    assert host.file("/opt/llama.cpp/current").is_symlink


@pytest.mark.parametrize(
    ("name", "branch", "licence"),
    [("xeon", "580", "NVIDIA"), ("ryzen", None, "Dual MIT/GPL"), ("pro6000", None, "Dual MIT/GPL")],
)
def test_the_card_decided_the_driver(
    lab: RunningLab, converged: Run, name: str, branch: str | None, licence: str
) -> None:
    """Pascal: 580 proprietary, the last branch that serves it; Blackwell: open modules only."""
    far = Far(lab, name)
    listed = far.said("nvidia-smi --query-gpu=pci.bus_id,driver_version --format=csv,noheader")
    assert len(listed.splitlines()) == WITH_CARDS[name]
    loaded = far.said("cat /sys/module/nvidia/version")
    assert {line.split(", ")[1] for line in listed.splitlines()} == {loaded}
    assert int(loaded.split(".")[0]) >= 570
    if branch:
        assert loaded.split(".")[0] == branch
    kernel = far.said("cat /proc/sys/kernel/osrelease")
    found = far.said(f"find /lib/modules/{kernel} -name 'nvidia*.ko*'").splitlines()
    assert licence in {far.said(f"modinfo -F license {path}") for path in found}
    assert "nvidia" in far.said("apt-mark showhold")


def test_a_host_without_a_card_gets_no_driver_and_a_build_for_its_processor(
    lab: RunningLab, converged: Run
) -> None:
    far = Far(lab, "plain")
    assert far.run("dpkg -l | grep -i nvidia").stdout == ""
    assert "-cpu-" in far.said("readlink /opt/llama.cpp/current")


def test_each_card_got_its_cuda_line(lab: RunningLab, converged: Run) -> None:
    links = {name: Far(lab, name).said("readlink /opt/llama.cpp/current") for name in WITH_CARDS}
    assert "12.8" in links["xeon"]
    assert "13." in links["ryzen"] and "13." in links["pro6000"]


def test_the_arguments_differ_as_the_facts_differ(lab: RunningLab, converged: Run) -> None:
    given = {name: arguments(lab, name) for name in HOSTS}
    assert len({tuple(words) for words in given.values()}) == len(HOSTS)
    assert "--cpu-moe" in given["xeon"] and "--cpu-moe" in given["ryzen"]
    assert "--cpu-moe" not in given["pro6000"] and "--cpu-moe" not in given["plain"]
    assert "--numa" in given["xeon"] and "--numa" not in given["ryzen"]


@pytest.mark.parametrize(("name", "devices"), WITH_CARDS.items())
def test_the_installed_build_measured_the_model_before_its_weights_came(
    lab: RunningLab, converged: Run, name: str, devices: int
) -> None:
    record = json.loads(lab.run(name, "tail -n 1 /var/lib/boxwright/fit.jsonl"))
    names = [row["name"] for row in record["devices"]]
    assert names == [*(f"Vulkan{number}" for number in range(devices)), "Host"]
    for row in record["devices"]:
        found = row["model_mib"] + row["context_mib"] + row["compute_mib"]
        assert abs(found - row["planned_mib"]) <= 64, row
    first, second = itertools.islice(asked_of_storage(lab, name), 2)
    for row in (first, second):  # a header of each of the model's two files
        assert row["status"] == 206 and row["bytes_sent"] < 2**20, row


def asked_of_storage(lab: RunningLab, name: str) -> Iterator[dict[str, Any]]:
    """What a host asked of the Hub's storage, in order."""
    address = next(one["address"] for one in lab.document["hosts"] if one["host"] == name)
    for line in (lab.lab.state / "hub.log").read_text().splitlines():
        row = json.loads(line)
        if row["service"] == "cdn" and row["client"] == address:
            yield row


@pytest.mark.parametrize("name", HOSTS)
def test_it_answers_a_chat_with_the_key_and_only_with_it(
    lab: RunningLab, converged: Run, name: str
) -> None:
    url = f"{Far(lab, name).base_url}/v1/chat/completions"
    asked = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    with httpx.Client(trust_env=False, timeout=120) as client:
        assert client.post(url, json=asked).status_code == 401
        bearer = {"Authorization": f"Bearer {key_of(lab)}"}
        answer = client.post(url, json=asked, headers=bearer)
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] >= 1


@pytest.mark.parametrize("name", HOSTS)
def test_the_weights_are_locked_in_memory(lab: RunningLab, converged: Run, name: str) -> None:
    far = Far(lab, name)
    pid = far.said("systemctl show -P MainPID llama-server.service")
    locked = far.said(f"grep VmLck /proc/{pid}/status")
    assert int(re.findall(r"\d+", locked)[0]) > 0


@pytest.mark.parametrize("name", HOSTS)
def test_the_key_is_in_no_argument_log_or_readable_file(
    lab: RunningLab, converged: Run, name: str
) -> None:
    far, key = Far(lab, name), key_of(lab)
    assert key not in converged.log
    assert key not in "\n".join(arguments(lab, name))
    assert key not in far.said("systemctl cat llama-server.service")
    assert key not in far.said("journalctl --no-pager -u llama-server.service -n 2000")
    assert far.said("stat -c '%a %U %G' /etc/boxwright/api-key") == "640 root llama"
    left = far.run(
        "grep -rlF -f /etc/boxwright/api-key /tmp /var/tmp /etc /var/log /run 2>/dev/null"
    )
    assert left.stdout.split() == ["/etc/boxwright/api-key"]


@pytest.mark.parametrize("name", HOSTS)
def test_one_speed_was_recorded_for_this_model_and_boot(
    lab: RunningLab, converged: Run, name: str
) -> None:
    far = Far(lab, name)
    lines = far.said("cat /var/lib/boxwright/decode.jsonl").splitlines()
    records = [json.loads(line) for line in lines if line]  # an empty one stands before each
    boot = far.said("cat /proc/sys/kernel/random/boot_id")
    (mine,) = [record for record in records if record["boot_id"] == boot]
    assert mine["decode_tok_s"] > 0 and mine["predicted_n"] > 0
