"""The hosts of the lab: what each really runs, and the hardware and system it shows.

Four make the lab; spares are booted only by tests that want other cards or systems.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.lab.hardware.cards import PRO_6000, QUADRO_P5000, RTX_5090, Card, FittedCard
from tests.lab.hardware.cpu import E5_2698_V4, RYZEN_9_9950X, CpuShape
from tests.lab.hardware.dmi import DDR4_8X16, DDR5_4X48, Dimms
from tests.lab.settings import Lab


@dataclass(frozen=True)
class HostSpec:
    """One host: its userland, and what it pretends.

    `layer` names the base layer in images.py, `guest_os` the apt sources it gets.
    `cpu` or `dimms` of None shows this machine's own. `secure_boot` of None is a BIOS boot.
    """

    name: str
    index: int
    layer: str
    guest_os: str
    kernel: str
    cpu: CpuShape | None = None
    dimms: Dimms | None = None
    cards: tuple[FittedCard, ...] = ()
    user: str = "root"
    secure_boot: bool | None = None

    def address(self, lab: Lab) -> str:
        """The host's address on the lab's bridge."""
        return lab.address(self.index)

    def base_url(self, lab: Lab) -> str:
        """Where the host's server answers once the product has set it up."""
        return f"http://{self.address(lab)}:8080"


def _fitted(pci: str, card: Card, node: int = -1) -> FittedCard:
    return FittedCard(pci=pci, card=card, numa_node=node)


TRIXIE_KERNEL = "6.12.48+deb13-amd64"

HOSTS = (
    HostSpec(
        name="xeon",
        index=0,
        layer="trixie",
        guest_os="ubuntu-noble",
        kernel="6.8.0-60-generic",
        cpu=E5_2698_V4,
        dimms=DDR4_8X16,
        cards=(
            _fitted("0000:03:00.0", QUADRO_P5000, node=0),
            _fitted("0000:82:00.0", QUADRO_P5000, node=1),
        ),
        user="engineer",
    ),
    HostSpec(
        name="ryzen",
        index=1,
        layer="trixie",
        guest_os="trixie",
        kernel=TRIXIE_KERNEL,
        cpu=RYZEN_9_9950X,
        dimms=DDR5_4X48,
        cards=(_fitted("0000:01:00.0", RTX_5090),),
    ),
    HostSpec(
        name="pro6000",
        index=2,
        layer="trixie",
        guest_os="trixie",
        kernel=TRIXIE_KERNEL,
        cpu=RYZEN_9_9950X,
        dimms=DDR5_4X48,
        cards=(_fitted("0000:01:00.0", PRO_6000),),
    ),
    HostSpec(
        name="plain",
        index=3,
        layer="bookworm",
        guest_os="bookworm",
        kernel="6.1.0-40-amd64",
    ),
)

SYSTEMS = {
    "debian12": ("bookworm", "bookworm", "6.1.0-40-amd64"),
    "debian13": ("trixie", "trixie", TRIXIE_KERNEL),
    "ubuntu": ("trixie", "ubuntu-noble", "6.8.0-60-generic"),
}
"""Layer, apt sources and kernel of each system that a spare may have."""

FIRST_SPARE = 20


def _spare(number: int, name: str, system: str, card: Card | None, **dress: Any) -> HostSpec:
    layer, guest_os, kernel = SYSTEMS[system]
    cards = (_fitted("0000:01:00.0", card),) if card else ()
    given = {"kernel": kernel, "cards": cards, **dress}
    return HostSpec(name, FIRST_SPARE + number, layer, guest_os, **given)


SPARES = (
    _spare(0, "pascal12", "debian12", QUADRO_P5000),
    _spare(1, "pascal13", "debian13", QUADRO_P5000),
    _spare(2, "pascalubuntu", "ubuntu", QUADRO_P5000),
    _spare(3, "blackwell12", "debian12", RTX_5090),
    _spare(4, "blackwell13", "debian13", RTX_5090),
    _spare(5, "blackwellubuntu", "ubuntu", RTX_5090),
    _spare(6, "wrongpascal", "ubuntu", QUADRO_P5000),
    _spare(7, "wrongblackwell", "debian13", RTX_5090),
    _spare(8, "dkmsfails", "debian13", RTX_5090),
    _spare(9, "neverback", "debian12", RTX_5090),
    _spare(10, "securedebian", "debian13", RTX_5090, secure_boot=True),
    _spare(11, "secureubuntu", "ubuntu", QUADRO_P5000, secure_boot=True),
    # as on a host whose kernel the archive has replaced since
    _spare(12, "noheaders", "debian13", RTX_5090, kernel="6.12.41+deb13-amd64"),
    _spare(13, "halfdpkg", "debian12", QUADRO_P5000, secure_boot=False),
    _spare(14, "wrongkey", "debian12", RTX_5090),
    _spare(15, "badarchive", "ubuntu", QUADRO_P5000),
    _spare(16, "unreachable", "debian13", RTX_5090),
    _spare(17, "fullboot", "debian13", RTX_5090),
    # hosts that serve as ryzen does, one for each role in whose middle a run is killed
    *(
        _spare(20 + n, f"crash{role}", "debian13", RTX_5090, cpu=RYZEN_9_9950X, dimms=DDR5_4X48)
        for n, role in enumerate(("base", "driver", "runtime", "tuning", "models", "server"))
    ),
    _spare(60, "builder", "debian12", None),
    _spare(61, "twin", "debian12", None),
    _spare(62, "cudabuilder", "debian13", QUADRO_P5000),
)
EVERY = HOSTS + SPARES


def host_named(name: str) -> HostSpec:
    """The host of this name; raise LookupError naming those that exist."""
    for spec in EVERY:
        if spec.name == name:
            return spec
    raise LookupError(f"no host {name!r} in the lab; it has {', '.join(h.name for h in EVERY)}")
