"""What apt knows on a fresh host of the lab: its distribution's archive, and the way to it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from tests.lab.settings import Lab
from tests.lab.world.build import World
from tests.lab.world.fetch import machine_apt

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
STAND_IN_KEYRING = "/usr/share/keyrings/boxwright-lab-{name}.asc"
PREFERENCES = "/etc/apt/preferences.d/boxwright-lab"


def guest_sources(lab: Lab, world: World, os: str) -> dict[str, str]:
    """Path and text of every apt file of a fresh install of "ubuntu-noble", "trixie", "bookworm".

    The userland of each is Debian, from this machine's mirror through the lab's proxy; beside it
    stands the lab's small archive under the distribution's own file name.
    """
    files: dict[str, Callable[[], dict[str, str]]] = {
        "ubuntu-noble": lambda: {
            **_debian("trixie", "/etc/apt/sources.list.d/userland.sources"),
            **_stand_in(lab, world, "ubuntu", "noble", "main restricted", "ubuntu.sources"),
        },
        "trixie": lambda: {
            **_debian("trixie", "/etc/apt/sources.list.d/debian.sources"),
            **_stand_in(lab, world, "debian", "trixie", "main non-free-firmware", "lab.sources"),
        },
        "bookworm": lambda: {
            **_debian("bookworm", "/etc/apt/sources.list.d/debian.sources"),
            **_stand_in(lab, world, "debian", "bookworm", "main non-free-firmware", "lab.sources"),
        },
    }
    return {**files[os](), **_connection(lab), "/etc/apt/sources.list": ""}


def _debian(suite: str, path: str) -> dict[str, str]:
    mirror = urlsplit(machine_apt().debian_mirror)._replace(scheme="http").geturl()
    return {path: _source(mirror, suite, "main", DEBIAN_KEYRING)}


def _stand_in(
    lab: Lab, world: World, name: str, suite: str, components: str, file: str
) -> dict[str, str]:
    keyring = STAND_IN_KEYRING.format(name=name)
    source = _source(f"{lab.archive_url}/{name}", suite, components, keyring)
    return {f"/etc/apt/sources.list.d/{file}": source, keyring: world.keys[name].armored}


def _source(uri: str, suite: str, components: str, keyring: str) -> str:
    return (
        f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n"
        f"Architectures: amd64\nSigned-By: {keyring}\n"
    )


def _connection(lab: Lab) -> dict[str, str]:
    """The proxy to Debian's archive; and what only the lab has, or has instead of that archive."""
    proxy = (
        f'Acquire::http::Proxy "{lab.apt_proxy_url}";\n'
        f'Acquire::http::Proxy::{lab.gateway} "DIRECT";\n'
        'Acquire::Languages "none";\n'
        'Acquire::Check-Valid-Until "false";\n'
    )
    # The kernel that is pretended has headers only here; a real driver would find no card.
    pins = (
        f"Package: linux-headers-*\nPin: origin {lab.gateway}\nPin-Priority: 990\n\n"
        "Package: nvidia-* libnvidia-* libcuda1 firmware-nvidia-gsp\n"
        f"Pin: origin {urlsplit(machine_apt().debian_mirror).hostname}\nPin-Priority: 100\n"
    )
    return {"/etc/apt/apt.conf.d/80boxwright-lab": proxy, PREFERENCES: pins}
