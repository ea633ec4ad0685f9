"""The lab's network: one bridge with the gateway address, one namespace and veth pair per host.

Nothing is forwarded: hosts reach each other and the gateway's servers, nothing else.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.lab.hosts import EVERY, HostSpec
from tests.lab.settings import Lab
from tests.lab.state import LabError

NAMESPACES = Path("/run/netns")


def namespace(lab: Lab, spec: HostSpec) -> str:
    """The host's network namespace."""
    return f"{lab.bridge}-{spec.name}"


def _veth(lab: Lab, spec: HostSpec) -> str:
    return f"{lab.bridge}v{spec.index}"


def _ip(*lines: str, netns: str | None = None) -> None:
    """Run a batch of `ip` commands; raise CalledProcessError with what ip said."""
    command = ["ip", *(["-netns", netns] if netns else []), "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, capture_output=True)


def _link_exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _is_own(lab: Lab) -> bool:
    """Whether the bridge of this number is this lab's; the kernel keeps the owner's name."""
    return Path("/sys/class/net", lab.bridge, "ifalias").read_text().strip() == lab.name


def up(lab: Lab, specs: Iterable[HostSpec]) -> None:
    """Make what is missing of the bridge, and of the namespaces and links of these hosts.

    Raises LabError if another lab has this number.
    """
    if _link_exists(lab.bridge) and not _is_own(lab):
        raise LabError(
            f"the bridge {lab.bridge} is there and not this lab's: take another number than "
            f"{lab.number} with BOXWRIGHT_LAB_NUMBER"
        )
    if not _link_exists(lab.bridge):
        _ip(
            f"link add {lab.bridge} type bridge",
            f"link set {lab.bridge} alias {lab.name}",
            f"addr add {lab.gateway}/24 dev {lab.bridge}",
            f"link set {lab.bridge} up",
        )
    for spec in specs:
        if not _link_exists(_veth(lab, spec)):
            _connect(lab, spec)


def _connect(lab: Lab, spec: HostSpec) -> None:
    name, veth = namespace(lab, spec), _veth(lab, spec)
    if (NAMESPACES / name).exists():
        _ip(f"netns del {name}")
    _ip(
        f"netns add {name}",
        f"link add {veth} type veth peer name eth0 netns {name}",
        f"link set {veth} master {lab.bridge} up",
    )
    _ip(
        f"addr add {spec.address(lab)}/24 dev eth0",
        "link set lo up",
        "link set eth0 up",
        f"route add default via {lab.gateway}",
        netns=name,
    )


def down(lab: Lab) -> None:
    """Remove all of it that is there; another lab's of the same number stays."""
    if _link_exists(lab.bridge) and not _is_own(lab):
        return
    for spec in EVERY:
        if _link_exists(_veth(lab, spec)):
            _ip(f"link del {_veth(lab, spec)}")
        if (NAMESPACES / namespace(lab, spec)).exists():
            _ip(f"netns del {namespace(lab, spec)}")
    if _link_exists(lab.bridge):
        _ip(f"link del {lab.bridge}")
