"""What builds leave behind on a host when a run is killed, or when another build is wanted."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api import QuoteString, StringCommand

from boxwright.operation import BUILDS, PACKED, Lines

UNPACKING = "/opt/cuda-[0-9]*.[0-9]*.part"  # toolkits of tarballs that were cut short
DOWNLOADS = "/var/cache/boxwright/downloads"  # a toolkit's tarballs


class BuildLeftovers(Lines):
    """What builds left behind that no unit works on any more: paths."""

    def command(self, also: Sequence[str]) -> StringCommand:
        """Directories of builds that do not run, packs, toolkits cut short, and files beside."""
        return StringCommand(
            f"for path in {BUILDS}/*/; do test ! -d \"$path\" || {{ path=${{path%/}};"
            ' systemctl is-active --quiet "boxwright-build-${path##*/}.service" || echo "$path"; };'
            f" done; for path in {PACKED}/* {DOWNLOADS}/* {UNPACKING}",
            *(QuoteString(one) for one in also),
            '; do test ! -e "$path" || echo "$path"; done',
        )  # fmt: skip
