"""What the kernel and the module's builder say of nouveau, builds and the driver: role facts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.context import host

from boxwright.operation import Lines, machine_of_host
from roles.driver.kernel_log import told_by_kernel

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
        """One word per line: off, loaded, stale; Debian and Red Hat name an initramfs otherwise."""
        return StringCommand(
            "set --", QuoteString(f"/boot/initrd.img-{kernel}"), ";",
            'test -e "$1" || set --', QuoteString(f"/boot/initramfs-{kernel}.img"), ";",
            f"for file in $(find {DIRECTORIES} -name '*.conf' 2>/dev/null); do",
            "! grep -Eqs '^[[:space:]]*blacklist[[:space:]]+nouveau' \"$file\" || { echo off;",
            '! test -e "$1" || ! test "$file" -nt "$1" || echo stale; }; done;',
            "! test -d /sys/module/nouveau || echo loaded",
        )  # fmt: skip

    def process(self, output: list[str]) -> NouveauState:
        """Read the words."""
        said = {line.strip() for line in output}
        return NouveauState("off" in said, "loaded" in said, "stale" in said)


class BuildReport(Lines):
    """What dkms says of NVIDIA modules, then the telling lines of the newest build's log."""

    def command(self) -> str:
        """dkms status and the log of the dkms or akmods build that came last.

        The compiler's first complaint tells most: what follows are its consequences.
        """
        return (
            "! command -v dkms >/dev/null || dkms status 2>/dev/null | grep -i nvidia |"
            " sed 's/^/dkms status: /';"
            " log=$(ls -t /var/lib/dkms/nvidia*/*/build/make.log"
            " /var/lib/dkms/nvidia*/*/*/*/log/make.log /var/cache/akmods/*nvidia*/*.log"
            " 2>/dev/null | head -n 1);"
            ' test -z "$log" || { found=$('
            "grep -iE 'error|fatal|no such file|cannot|not found' \"$log\" | grep -v '^make' |"
            ' head -n 2); test -n "$found" || found=$(tail -n 2 "$log"); printf "%s\\n" "$found"; }'
        )


class ModuleListed(FactBase[bool]):
    """Whether modprobe knows an NVIDIA module of a kernel: a build that was cut short left none.

    Read from the list that `modinfo -k` and modprobe read, since the module's name differs between
    distributions (`nvidia`, `nvidia-current`).
    """

    @staticmethod
    def default() -> bool:
        """It is not known."""
        return False

    def command(self, kernel: str) -> StringCommand:
        """Look into the kernel's modules.dep."""
        return StringCommand(
            "! grep -Eqs '(^|/)nvidia[^/:]*[.]ko[^/:]*:'",
            QuoteString(f"/lib/modules/{kernel}/modules.dep"), "|| echo listed",
        )  # fmt: skip

    def process(self, output: list[str]) -> bool:
        """One word or none."""
        return "listed" in (line.strip() for line in output)


class KernelReport(Lines):
    """What the kernel's log of this boot says of NVIDIA's driver, its last lines."""

    def command(self) -> str:
        """The lines of the resource manager, and refusals to load a module."""
        return (
            "journalctl -k -b --no-pager -o cat 2>/dev/null | grep -E 'NVRM|nvidia.*(verification|"
            "rejected)|[Kk]ey was rejected|unavailable key|module loading is restricted' |"
            " tail -n 60"
        )


def kernel_says() -> str:
    """What the kernel's log of this boot says of the driver, in sentences, now."""
    log: tuple[str, ...] = host.get_fact(KernelReport)
    told = told_by_kernel(log, machine_of_host().secure_boot)
    return "; ".join(told) or "the kernel's log says nothing of it"


def build_says() -> str:
    """What the last build of the module says, now."""
    log: tuple[str, ...] = host.get_fact(BuildReport)
    return "; ".join(log) or "no log of a build is there"
