"""What scripts/bootstrap.sh puts on a machine, and that it takes off no more than that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.lab.settings import CACHE_ROOT

ROOT = Path(__file__).resolve().parents[2]

# A machine whose packages are the lines of one file; apt installs `nginx-light` with a library.
DPKG_QUERY = """#!/bin/sh
for last in "$@"; do :; done
case $last in
nginx-light | curl) grep -qx "$last" "$MACHINE" && echo installed ;;
*) sed 's/^/installed /' "$MACHINE" ;;
esac
"""
APT_GET = """#!/bin/sh
echo "$*" >>"$MACHINE.asked"
case "$*" in
*install*) printf '%s\\n' nginx-light libnginx >>"$MACHINE" ;;
-s\\ purge*) cat "$MACHINE.plan" ;;
*purge*) sed -i -e '/nginx-light/d' -e '/libnginx/d' "$MACHINE" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The package list of a pretended machine, with curl on it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    packages = tmp_path / "packages"
    packages.write_text("bash\ncurl\n")
    (tmp_path / "packages.plan").write_text("Purg nginx-light [1]\nPurg libnginx [1]\n")
    return packages


def call(machine: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a function of bootstrap.sh on that machine; no policy file of the real one is touched."""
    setting = {
        "PATH": f"{machine.parent / 'bin'}:{os.environ['PATH']}",
        "MACHINE": str(machine),
        "BOXWRIGHT_PACKAGES_RECORD": str(machine.parent / "record"),
        "HOME": str(machine.parent),
    }
    script = f'. scripts/bootstrap.sh; _without_starting_services() {{ "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=setting, capture_output=True, text=True, check=True,
    )  # fmt: skip


def test_what_was_installed_goes_with_its_dependencies_and_nothing_else(machine: Path) -> None:
    call(machine, "need_packages curl nginx-light")
    assert machine.read_text().split() == ["bash", "curl", "nginx-light", "libnginx"]
    call(machine, "remove_packages")
    assert machine.read_text().split() == ["bash", "curl"]


def test_a_package_that_something_else_has_come_to_need_stays(machine: Path) -> None:
    call(machine, "need_packages nginx-light")
    with (machine.parent / "packages.plan").open("a") as plan:
        plan.write("Purg website [1]\n")
    said = call(machine, "remove_packages").stderr
    assert "website" in said
    assert "nginx-light" in machine.read_text().split()


def test_a_machine_that_had_all_of_them_keeps_them(machine: Path) -> None:
    call(machine, "need_packages curl; remove_packages")
    asked = machine.parent / "packages.asked"
    assert not asked.exists()
    assert machine.read_text().split() == ["bash", "curl"]


def test_the_record_lies_in_the_cache_that_goes_last(machine: Path) -> None:
    said = subprocess.run(
        ["bash", "-c", ". scripts/bootstrap.sh; echo $PACKAGES_RECORD"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(said.stdout.strip()).parent == CACHE_ROOT
