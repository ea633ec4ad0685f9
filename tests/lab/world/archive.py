"""Signed apt repositories of the stand-in packages, laid out as the real ones are.

/ubuntu and /debian have suites and components; /nvidia/<release>/x86_64 are flat, with the key
beside the packages under the last eight digits of its fingerprint.
"""

from __future__ import annotations

import gzip
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.world import debs, drivers_debian, drivers_nvidia, drivers_ubuntu, kernels
from tests.lab.world.cache import write_json
from tests.lab.world.debs import Deb

KEYS = ("ubuntu", "debian", "nvidia-debian12", "nvidia-debian13")
LABEL = "Boxwright stand-in"
SUITES = {"ubuntu": ("noble",), "debian": ("bookworm", "trixie")}
NVIDIA_RELEASES = ("debian12", "debian13")
ORIGINS = {"ubuntu": "Ubuntu", "debian": "Debian"}


@dataclass(frozen=True)
class Key:
    """A repository's signing key: its full fingerprint, and the public part, armored."""

    fingerprint: str
    armored: str


def make_keys(directory: Path) -> None:
    """Make one signing key per repository, each with its own gpg home."""
    found = {}
    for name in KEYS:
        home = directory / name
        home.mkdir(mode=0o700)
        user = f"Boxwright lab {name} <{name}@boxwright.invalid>"
        new = ["--passphrase", "", "--quick-generate-key", user, "ed25519", "sign", "never"]
        _gpg(home, *new)
        listing = _gpg(home, "--with-colons", "--fingerprint")
        fingerprint = next(line for line in listing.splitlines() if line.startswith("fpr:"))
        found[name] = {
            "fingerprint": fingerprint.split(":")[9],
            "armored": _gpg(home, "--armor", "--export"),
        }
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    write_json(directory / "keys.json", found)


def _gpg(home: Path, *arguments: str) -> str:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
    done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def contents() -> dict[str, list[Deb]]:
    """Every package, by the folder of the archive it lies in."""
    trixie = drivers_debian.release("550.163.01", "2")
    bookworm = drivers_debian.release("535.261.03", "1~deb12u1")
    noble_headers = kernels.headers("6.8.0-60-generic", "6.8.0-60.63", "linux-headers-generic")
    trixie_headers = kernels.headers("6.12.48+deb13-amd64", "6.12.48-1", "linux-headers-amd64")
    bookworm_headers = kernels.headers("6.1.0-40-amd64", "6.1.153-1", "linux-headers-amd64")
    folders = {
        "ubuntu/pool/noble/main": [*noble_headers, kernels.dkms()],
        "ubuntu/pool/noble/restricted": [
            *drivers_ubuntu.server_branch("580.173.02"),
            *drivers_ubuntu.server_branch("595.58.03"),
        ],
        "debian/pool/trixie/main": [*trixie_headers, kernels.dkms()],
        "debian/pool/bookworm/main": [*bookworm_headers, kernels.dkms()],
    }
    for suite, components in (("trixie", trixie), ("bookworm", bookworm)):
        folders |= {f"debian/pool/{suite}/{name}": found for name, found in components.items()}
    for release in NVIDIA_RELEASES:
        folders[f"nvidia/{release}/x86_64"] = drivers_nvidia.repository(release)
    return folders


def build(directory: Path, keys: Path, fingerprints: dict[str, Key]) -> None:
    """Build every package and repository into a directory."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = []
        for folder, packages in contents().items():
            (directory / folder).mkdir(parents=True)
            jobs += [pool.submit(debs.build, item, directory / folder) for item in packages]
        for job in jobs:
            job.result()
    for name, suites in SUITES.items():
        for suite in suites:
            _index_suite(directory / name, suite, ORIGINS[name], keys / name)
    for release in NVIDIA_RELEASES:
        key = fingerprints[f"nvidia-{release}"]
        flat = directory / "nvidia" / release / "x86_64"
        _index(flat, ".", flat)
        _sign(flat, {"Origin": "NVIDIA", "Label": "NVIDIA CUDA"}, keys / f"nvidia-{release}")
        (flat / f"{key.fingerprint[-8:]}.pub").write_text(key.armored)


def _index_suite(root: Path, suite: str, origin: str, home: Path) -> None:
    components = sorted(path.name for path in (root / "pool" / suite).iterdir())
    distribution = root / "dists" / suite
    for component in components:
        target = distribution / component / "binary-amd64"
        target.mkdir(parents=True)
        _index(root, f"pool/{suite}/{component}", target)
    described = {
        "Origin": origin,
        "Label": LABEL,
        "Suite": suite,
        "Codename": suite,
        "Architectures": "amd64",
        "Components": " ".join(components),
    }
    _sign(distribution, described, home)


def _index(root: Path, folder: str, target: Path) -> None:
    listing = subprocess.run(
        ["apt-ftparchive", "packages", folder], cwd=root, check=True, capture_output=True
    ).stdout
    (target / "Packages").write_bytes(listing)
    (target / "Packages.gz").write_bytes(gzip.compress(listing, mtime=0))


def _sign(folder: Path, described: dict[str, str], home: Path) -> None:
    options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in described.items()]
    release = subprocess.run(
        ["apt-ftparchive", *options, "release", "."], cwd=folder, check=True, capture_output=True
    ).stdout
    (folder / "Release").write_bytes(release)
    _gpg(home, "--clearsign", "--output", str(folder / "InRelease"), str(folder / "Release"))
    _gpg(home, "--armor", "--detach-sign", "--output", str(folder / "Release.gpg"),
         str(folder / "Release"))  # fmt: skip
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
