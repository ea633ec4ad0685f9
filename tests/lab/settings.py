"""What a lab is called and where it lies: names, addresses, ports and paths, from its number."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

STATE_ROOT = Path("/var/lib/boxwright-lab")
CACHE_ROOT = Path("/var/cache/boxwright-lab")


@dataclass(frozen=True)
class Lab:
    """One lab; two with different names and numbers run side by side without touching."""

    name: str
    number: int

    @property
    def bridge(self) -> str:
        """The bridge device, at most 15 characters."""
        return f"bwlab{self.number}"

    @property
    def gateway(self) -> str:
        """The bridge address: every server of the lab listens here and only here."""
        return f"10.77.{self.number}.1"

    def address(self, index: int) -> str:
        """The address of the host with this index (0 is the first host)."""
        return f"10.77.{self.number}.{11 + index}"

    @property
    def state(self) -> Path:
        """Everything of this lab that goes away with `down`: hosts, pids, keys, logs, lab.json."""
        return STATE_ROOT / self.name

    @property
    def apt_proxy_url(self) -> str:
        """Caching proxy to Debian's archive (nginx)."""
        return f"http://{self.gateway}:3142"

    @property
    def archive_url(self) -> str:
        """Signed apt repositories with the stand-in packages: /ubuntu, /debian, /nvidia."""
        return f"http://{self.gateway}:8100"

    @property
    def hub_url(self) -> str:
        """A server that speaks the Hub's API."""
        return f"http://{self.gateway}:8200"

    @property
    def release_url(self) -> str:
        """A server that speaks the GitHub releases API."""
        return f"http://{self.gateway}:8300"


def lab_named(name: str) -> Lab:
    """The lab of this name; the demo is number 0, any other gets its number from the caller."""
    return Lab(
        name=name,
        number=int(os.environ.get("BOXWRIGHT_LAB_NUMBER", "0" if name == "demo" else "1")),
    )


def current() -> Lab:
    """The lab that BOXWRIGHT_LAB names, or the demo."""
    return lab_named(os.environ.get("BOXWRIGHT_LAB", "demo"))
