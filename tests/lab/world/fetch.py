"""Downloads from package registries: wheels by pip, Debian sid's packages by a private apt root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_DEBIAN_MIRROR = "http://deb.debian.org/debian"
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class FetchError(RuntimeError):
    """Something could not be downloaded; the message carries the tool's own words."""


@dataclass(frozen=True)
class MachineApt:
    """How this machine's own apt reaches an archive, so that the lab goes the same way."""

    debian_mirror: str
    acquire_lines: tuple[str, ...]

    @property
    def http_proxy(self) -> str | None:
        """The proxy that apt uses for http, if any."""
        for line in self.acquire_lines:
            key, _, value = line.partition(" ")
            if key.lower() == "acquire::http::proxy":
                return value.strip('";') or None
        return None


@cache
def machine_apt() -> MachineApt:
    """Read this machine's apt: its Debian mirror (or Debian's redirector), and how it connects."""
    dump = _run(["apt-config", "dump", "--no-empty"]).splitlines()
    lines = tuple(
        line for line in dump if line.lower().startswith(("acquire::http", "acquire::https"))
    )
    targets = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    mirrors = (uri.rstrip("/") for uri in targets.split())
    mirror = next((uri for uri in mirrors if _is_debian(uri)), DEFAULT_DEBIAN_MIRROR)
    return MachineApt(debian_mirror=mirror, acquire_lines=lines)


def _is_debian(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme in ("http", "https") and parts.path.endswith("/debian")


def wheels(names: tuple[str, ...], directory: Path) -> None:
    """Download these wheels, without their dependencies, into a directory."""
    pip = _pip() or _new_pip(directory.with_name("pip"))
    _run([*pip, "download", "--quiet", "--no-deps", "--dest", str(directory), *names])


def sdist(requirement: str, directory: Path) -> None:
    """Download one source distribution into a directory."""
    pip = _pip() or _new_pip(directory.with_name("pip"))
    name, _, _ = requirement.partition("==")
    options = ["--quiet", "--no-deps", "--no-binary", name, "--dest", str(directory)]
    _run([*pip, "download", *options, requirement])


def _pip() -> list[str] | None:
    candidates = (
        [sys.executable, "-m", "pip"],
        ["pip3"],
        ["pip"],
        ["uv", "tool", "run", "pip"],
    )
    for command in candidates:
        if shutil.which(command[0]) is None:
            continue
        probe = subprocess.run([*command, "--version"], capture_output=True, check=False)
        if probe.returncode == 0:
            return command
    return None


def _new_pip(home: Path) -> list[str]:
    if not (home / "bin/pip").exists():
        _run(["python3", "-m", "venv", str(home)])
    return [str(home / "bin/pip")]


def debian_packages(names: tuple[str, ...], suite: str, directory: Path) -> None:
    """Download and unpack these packages of a Debian suite into directory/root.

    The private apt root leaves the machine's own lists, cache and status alone.
    """
    if not DEBIAN_KEYRING.is_file():
        raise FetchError(f"{DEBIAN_KEYRING} is missing: install debian-archive-keyring")
    apt = machine_apt()
    root = directory / "apt"
    for folder in ("etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives"):
        (root / folder).mkdir(parents=True)
    (root / "state/status").touch()
    (root / "etc/sources.list").write_text(
        f"deb [signed-by={DEBIAN_KEYRING}] {apt.debian_mirror} {suite} main\n"
    )
    configuration = root / "apt.conf"
    configuration.write_text(_apt_conf(root, apt))
    environment = os.environ | {"APT_CONFIG": str(configuration)}
    downloads = directory / "debs"
    downloads.mkdir()
    _run(["apt-get", "--quiet", "--quiet", "--error-on=any", "update"], environment)
    _run(["apt-get", "--quiet", "--quiet", "download", *names], environment, downloads)
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(directory / "root")])
    shutil.rmtree(root)
    shutil.rmtree(downloads)


def _apt_conf(root: Path, apt: MachineApt) -> str:
    return "\n".join(
        (
            *apt.acquire_lines,
            f'Dir::Etc "{root}/etc";',
            f'Dir::State "{root}/state";',
            f'Dir::State::status "{root}/state/status";',
            f'Dir::Cache "{root}/cache";',
            'Acquire::Check-Valid-Until "false";',
            'Acquire::Languages "none";',
            'APT::Sandbox::User "root";',
            'APT::Architecture "amd64";',
            'APT::Architectures { "amd64"; };\n',
        )
    )


def _run(command: list[str], env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(command, env=env, cwd=cwd, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise FetchError(f"{' '.join(command)}: {error.stderr.strip()}") from error
    return done.stdout
