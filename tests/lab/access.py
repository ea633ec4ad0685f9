"""How one reaches the lab's hosts: a key pair, host keys, and an OpenSSH configuration."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.lab.hosts import EVERY, HostSpec
from tests.lab.settings import Lab
from tests.lab.state import LabError, Process


def key(lab: Lab) -> Path:
    """The private key that opens every host."""
    return lab.state / "ssh" / "id_ed25519"


def known_hosts(lab: Lab) -> Path:
    """The host keys, by address and by name; they stay over a reset."""
    return lab.state / "ssh" / "known_hosts"


def config(lab: Lab) -> Path:
    """`ssh -F` this, then the host's name."""
    return lab.state / "ssh" / "config"


def host_key(lab: Lab, spec: HostSpec) -> Path:
    """The private host key of one guest."""
    return lab.state / "ssh" / "host_keys" / spec.name


def api_key_file(lab: Lab) -> Path:
    """A random key that the product may be told to guard its servers with."""
    return lab.state / "api_key"


def prepare(lab: Lab, specs: Iterable[HostSpec]) -> None:
    """Make keys and files that are missing for these hosts; those of others stay."""
    (lab.state / "ssh" / "host_keys").mkdir(parents=True, exist_ok=True)
    _make_key(key(lab), f"boxwright-lab-{lab.name}")
    for spec in specs:
        _make_key(host_key(lab, spec), spec.name)
    known = [spec for spec in EVERY if host_key(lab, spec).exists()]
    known_hosts(lab).write_text("".join(_known(lab, spec) for spec in known))
    config(lab).write_text("".join(_stanza(lab, spec) for spec in known))
    if not api_key_file(lab).exists():
        api_key_file(lab).touch(mode=0o600)
        api_key_file(lab).write_text(secrets.token_urlsafe(24) + "\n")


def _make_key(path: Path, comment: str) -> None:
    if path.exists():
        return
    part = path.with_suffix(".part")
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(part)]
    part.unlink(missing_ok=True)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    Path(f"{part}.pub").rename(f"{path}.pub")
    part.rename(path)


def _known(lab: Lab, spec: HostSpec) -> str:
    kind, public = Path(f"{host_key(lab, spec)}.pub").read_text().split()[:2]
    return f"{spec.address(lab)},{spec.name} {kind} {public}\n"


def _stanza(lab: Lab, spec: HostSpec) -> str:
    return (
        f"Host {spec.name}\n"
        f"  HostName {spec.address(lab)}\n"
        f"  User {spec.user}\n"
        f"  IdentityFile {key(lab)}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known_hosts(lab)}\n"
        "  StrictHostKeyChecking yes\n"
        f"  HostKeyAlias {spec.name}\n"
        "  LogLevel ERROR\n"
    )


def run(
    lab: Lab, host: str, command: str, timeout_s: float = 120.0, stdin: bytes | None = None
) -> str:
    """Run a shell command on a host and return what it printed; raise CalledProcessError."""
    ssh = shutil.which("ssh") or "ssh"
    argv = [ssh, "-F", str(config(lab)), "-o", "ConnectTimeout=5", "-o", "BatchMode=yes", host]
    done = subprocess.run(
        [*argv, command],
        check=True,
        capture_output=True,
        input=stdin or b"",
        timeout=timeout_s,
    )
    return done.stdout.decode()


def wait_until_reachable(lab: Lab, spec: HostSpec, booting: Process, timeout_s: float) -> None:
    """Wait until the host's user can run a command over SSH; raise LabError if it cannot."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not booting.alive:
            raise LabError(f"{spec.name} stopped while it booted")
        if _answers(spec.address(lab)):
            try:
                run(lab, spec.name, "true")
            except subprocess.SubprocessError:
                time.sleep(0.1)  # sshd answers, but unprivileged logins open a moment later
            else:
                return
        time.sleep(0.05)
    raise LabError(f"{spec.name} gave no SSH login within {timeout_s:.0f} s")


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1.0) as connection:
            connection.settimeout(2.0)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
