"""Looking at a lab host, and doing things to it, over plain ssh: independent of the product."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.hosts import host_named

if TYPE_CHECKING:
    from tests.lab.conftest import RunningLab


SSH_FAILED = 255
TIMEOUT_S = 120.0


class Far:
    """One host of a lab, spoken to by OpenSSH's own client."""

    def __init__(self, lab: RunningLab, name: str) -> None:
        spec = host_named(name)
        self.name = name
        self.address = spec.address(lab.lab)
        self.user = spec.user
        self.base_url = spec.base_url(lab.lab)
        ssh = lab.document["ssh"]
        self._ssh = [
            "ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
            "-o", "IdentitiesOnly=yes", "-i", ssh["key"],
            "-o", f"UserKnownHostsFile={ssh['known_hosts']}", f"{self.user}@{self.address}",
        ]  # fmt: skip

    def run(self, script: str, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root; its failure is told by its exit code, SSH's own fails."""
        shell = ["sh", "-s"] if self.user == "root" else ["sudo", "-n", "sh", "-s"]
        done = subprocess.run(
            [*self._ssh, *shell], input=script, capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode != SSH_FAILED, f"{self.name} gave no login: {done.stderr}"
        return done

    def said(self, script: str, timeout_s: float = TIMEOUT_S) -> str:
        """What a script printed; it has to succeed."""
        done = self.run(script, timeout_s)
        assert done.returncode == 0, f"{self.name}: {script}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def holds(self, path: str) -> bool:
        """Whether a path is there."""
        return self.run(f"test -e {path}").returncode == 0


def key_of(lab: RunningLab) -> str:
    """The API key of the lab's servers."""
    return Path(lab.document["api_key_file"]).read_text().strip()
