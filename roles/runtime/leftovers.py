"""What builds leave behind on a host when a run is killed, or when another build is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api import FactBase, QuoteString, StringCommand

from boxwright.operation import BUILDS

PACKED = "/var/cache/boxwright/packs"  # what is being carried
DOWNLOADS = "/var/cache/boxwright/downloads"  # a toolkit's tarballs


class BuildLeftovers(FactBase[tuple[str, ...]]):
    """What builds left behind that no unit works on any more: paths."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Nothing."""
        return ()

    def command(self, also: Sequence[str]) -> StringCommand:
        """Directories of builds that do not run, packs, toolkits cut short, and files beside."""
        return StringCommand(
            f"for path in {BUILDS}/*/; do test ! -d \"$path\" || {{ path=${{path%/}};"
            ' systemctl is-active --quiet "boxwright-build-${path##*/}.service" || echo "$path"; };'
            f" done; for path in {PACKED}/* {DOWNLOADS}/*", *(QuoteString(one) for one in also),
            '; do test ! -e "$path" || echo "$path"; done',
        )  # fmt: skip

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The paths as they come."""
        return tuple(line.strip() for line in output if line.strip())
