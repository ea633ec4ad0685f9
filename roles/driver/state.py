"""What the kernel and dkms say of nouveau, of module builds and of NVIDIA's driver: role facts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand

DIRECTORIES = "/etc/modprobe.d /run/modprobe.d /usr/local/lib/modprobe.d /usr/lib/modprobe.d"


@dataclass(frozen=True)
class NouveauState:
    """What stands between nouveau and the cards.

    `off`: a modprobe file blacklists it; `loaded`: it is in the kernel now; `stale_initramfs`: the
    kernel's initramfs is older than such a file, so that the next boot may load nouveau from it.
    """

    off: bool = False
    loaded: bool = False
    stale_initramfs: bool = False

    def to_json(self) -> dict[str, bool]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


class Nouveau(FactBase[NouveauState]):
    """What keeps nouveau away from the cards."""

    @staticmethod
    def default() -> NouveauState:
        """Nothing known."""
        return NouveauState()

    def command(self, kernel: str) -> StringCommand:
        """One word per line: off, loaded, stale."""
        initramfs = QuoteString(f"/boot/initrd.img-{kernel}")
        return StringCommand(
            f"for file in $(find {DIRECTORIES} -name '*.conf' 2>/dev/null); do",
            "! grep -Eqs '^[[:space:]]*blacklist[[:space:]]+nouveau' \"$file\" || { echo off;",
            "! test -e", initramfs, '|| ! test "$file" -nt', initramfs, "|| echo stale; }; done;",
            "! test -d /sys/module/nouveau || echo loaded",
        )  # fmt: skip

    def process(self, output: list[str]) -> NouveauState:
        """Read the words."""
        said = {line.strip() for line in output}
        return NouveauState("off" in said, "loaded" in said, "stale" in said)


class BuildReport(FactBase[tuple[str, ...]]):
    """What dkms says of NVIDIA modules, then the last telling lines of the newest build log."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Nothing is said."""
        return ()

    def command(self) -> str:
        """dkms status and the log of the build that came last."""
        return (
            "! command -v dkms >/dev/null || dkms status 2>/dev/null | grep -i nvidia |"
            " sed 's/^/dkms status: /';"
            " log=$(ls -t /var/lib/dkms/nvidia*/*/build/make.log"
            " /var/lib/dkms/nvidia*/*/*/*/log/make.log 2>/dev/null | head -n 1);"
            ' test -z "$log" || grep -iE "error|fatal|no such file|cannot" "$log" | tail -n 2'
        )

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The lines as they come."""
        return tuple(line.strip() for line in output if line.strip())


class KernelReport(FactBase[tuple[str, ...]]):
    """What the kernel's log of this boot says of NVIDIA's driver, its last lines."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Nothing is said."""
        return ()

    def command(self) -> str:
        """The lines of the resource manager, and refusals to load a module."""
        return (
            "journalctl -k -b --no-pager -o cat 2>/dev/null |"
            " grep -E 'NVRM|nvidia.*(verification|key|rejected)' | tail -n 4"
        )

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The lines as they come."""
        return tuple(line.strip() for line in output if line.strip())
