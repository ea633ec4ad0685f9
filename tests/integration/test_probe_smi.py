"""What nvidia-smi tells of cards, in all its versions: name, VRAM, capability, instances, users."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.hardware.tree import write_tree
from tests.unit.probing import card, cards, probe, program, write_card


def smi(tree: Path, *rows: dict[str, str], apps: str = "") -> None:
    """A stand-in that knows the fields of its rows, as the real one answers: each card a line."""
    table = "".join(
        f"    {number}:{field}) value='{value}' ;;\n"
        for number, row in enumerate(rows)
        for field, value in row.items()
    )
    program(
        tree,
        "nvidia-smi",
        f"""case $1 in
--query-compute-apps=*) printf '%s' '{apps}'; exit ;;
esac
for row in {" ".join(str(number) for number in range(len(rows)))}; do
  IFS=,
  line=
  for field in ${{1#--query-gpu=}}; do
    case $row:$field in
{table}    *) echo "Field \\"$field\\" is not a valid field to query."; exit 2 ;;
    esac
    line="$line, $value"
  done
  echo "${{line#, }}"
done""",
    )


P5000 = {
    "pci.bus_id": "00000000:03:00.0",
    "memory.total": "16384",
    "memory.used": "5",
    "compute_cap": "6.1",
    "mig.mode.current": "[N/A]",
    "name": "Quadro P5000",
}


def test_a_driver_that_answers_gives_name_vram_and_capability(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    write_card(tmp_path, "0001:82:00.0", {})
    write_card(tmp_path, "10000:e1:00.0", {})
    write_card(tmp_path, "0000:05:00.0", {"vendor": "0x1002"})
    rtx = {"name": "NVIDIA GeForce RTX 2080 Ti", "memory.total": "11264", "compute_cap": "7.5"}
    smi(
        tmp_path,
        P5000,
        P5000 | rtx | {"pci.bus_id": "00000001:82:00.0", "memory.used": "700"},
        P5000 | {"pci.bus_id": "00010000:E1:00.0", "name": "Quadro P4000", "memory.total": "8192"},
    )
    found = {c["pci"]: (c["name"], c["vram_mib"], c["compute_cap"]) for c in cards(tmp_path)}
    assert found == {
        "0000:03:00.0": ("Quadro P5000", 16384, "6.1"),
        "0001:82:00.0": ("NVIDIA GeForce RTX 2080 Ti", 11264, "7.5"),
        "10000:e1:00.0": ("Quadro P4000", 8192, "6.1"),
        "0000:05:00.0": (None, None, None),
    }
    used = {c["pci"]: c["vram_used_mib"] for c in cards(tmp_path)}
    assert used["0001:82:00.0"] == 700 and used["0000:05:00.0"] is None


@pytest.mark.parametrize(
    "answer",
    [
        "exit 9",
        "exit 1",
        "echo 'No devices were found'; exit 6",
        "echo 'No devices were found'",
        "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
        "echo '00000000:03:00.0'",
        "echo '00000000:03:00.0, 16384, 5'",
        "echo '00000000:03:00.0, , , , , '",
        "echo 'Unable to determine the device handle for GPU0000:03:00.0: Unknown Error'; exit 255",
        "printf '\\377\\000\\001,,,,,\\n'",
        "echo '00000000:09:00.0, 1, 1, 6.1, [N/A], Another card'",
        "echo '00000000:03:00.0, ERR!, -1, N/A, ERR!, [Unknown Error]'",
    ],
)
def test_a_driver_that_does_not_answer_leaves_null(answer: str, tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    program(tmp_path, "nvidia-smi", answer)
    found = card(tmp_path)
    told = ("name", "vram_mib", "compute_cap", "vram_used_mib", "vram_used_by_service_mib", "mig")
    assert [found[key] for key in told] == [None] * 6


def test_what_nvidia_smi_does_not_know_is_null(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    unknown = {
        "memory.total": "[N/A]",
        "memory.used": "[Not Supported]",
        "compute_cap": "[N/A]",
        "name": "[Unknown Error]",
    }
    smi(tmp_path, P5000 | unknown)
    found = card(tmp_path)
    values = [found[k] for k in ("name", "vram_mib", "compute_cap", "vram_used_mib")]
    assert values == [None, None, None, None]


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ([], ("8.0", True)),
        (["mig.mode.current"], ("8.0", None)),
        (["compute_cap"], (None, True)),  # 450 to 470
        (["compute_cap", "mig.mode.current"], (None, None)),
    ],
)
def test_an_old_driver_that_knows_fewer_fields_still_gives_the_rest(
    unknown: list[str], expected: tuple[str | None, bool | None], tmp_path: Path
) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    row = P5000 | {"name": "A100", "compute_cap": "8.0", "mig.mode.current": "Enabled"}
    smi(tmp_path, {field: value for field, value in row.items() if field not in unknown})
    found = card(tmp_path)
    assert (found["name"], found["vram_mib"], found["vram_used_mib"]) == ("A100", 16384, 5)
    assert (found["compute_cap"], found["mig"]) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("Enabled", True), ("Disabled", False), ("[N/A]", None), ("[Not Supported]", None)],
)
def test_whether_a_card_is_cut_into_instances(
    said: str, expected: bool | None, tmp_path: Path
) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    smi(tmp_path, P5000 | {"mig.mode.current": said})
    assert card(tmp_path)["mig"] is expected


def test_a_driver_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    """Each try may take 20 seconds on a card that hangs."""
    write_card(tmp_path, "0000:03:00.0", {})
    program(tmp_path, "nvidia-smi", f"echo x >>{tmp_path}/calls; exit 15")
    assert card(tmp_path)["name"] is None
    assert (tmp_path / "calls").read_text() == "x\n"


def test_vram_held_by_our_own_service_is_told_apart(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    write_card(tmp_path, "0000:82:00.0", {})
    write_tree(
        tmp_path,
        {
            "etc/systemd/system/llama-server.service": "[Unit]",
            "proc/4711/cmdline": b"/opt/llama-server\0--model\0/srv/x/q/x.gguf\0--alias\0qwen\0",
        },
    )
    program(tmp_path, "systemctl", "echo MainPID=4711; echo ActiveState=active")
    smi(
        tmp_path,
        P5000 | {"memory.used": "9000"},
        P5000 | {"memory.used": "8000", "pci.bus_id": "00000000:82:00.0"},
        apps="00000000:03:00.0, 4711, 6000\n00000000:03:00.0, 12, 3000\n"
        "00000000:82:00.0, 12, [N/A]\n",
    )
    report = probe(tmp_path)
    assert [c["vram_used_by_service_mib"] for c in report["gpus"]] == [6000, 0]
    assert report["llama"] == {"build": None, "service": "active", "model": "qwen"}
