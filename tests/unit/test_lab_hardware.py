"""What a lab host shows of its firmware, read as the kernel's documents say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.hardware import firmware
from tests.lab.hosts import EVERY


@pytest.mark.parametrize("on", [True, False])
def test_secure_boot_is_byte_5_of_its_variable(tmp_path: Path, on: bool) -> None:
    firmware.write_efi(tmp_path, on)
    (variable,) = (tmp_path / "efivars").glob("SecureBoot-*")
    content = variable.read_bytes()
    assert (len(content), content[4]) == (5, int(on))


def test_no_two_hosts_have_one_name_or_address() -> None:
    assert len({spec.name for spec in EVERY}) == len({spec.index for spec in EVERY}) == len(EVERY)
    assert max(spec.index for spec in EVERY) < 244, "addresses end at .254"
