"""Whatever a machine and its owner say, no card gets a driver that does not drive it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.plan import Refusal
from tests.unit.driver_matrix import (
    BASE,
    CARDS,
    SECURE,
    SYSTEMS,
    accepts,
    box,
    decided,
    forbidden,
)

DEVICES = st.one_of(
    st.sampled_from([int(id[5:], 16) for ids in CARDS.values() for id in ids]),
    st.integers(0, 0xFFFF),
)
VERSIONS = st.sampled_from(
    [None, "", "N/A", "470.256.02", "525.60.13", "550.163.01", "580.126.09", "615.71.09", "620.1"]
)
KERNELS = st.sampled_from(
    ["6.8.0-60-generic", "6.12.48+deb13-amd64", "5.14.0-570.el9.x86_64+rt", "7.9", "", "odd", "{x}"]
)


@settings(max_examples=100, deadline=None)
@given(
    system=st.sampled_from(sorted(SYSTEMS)),
    devices=st.lists(DEVICES, min_size=1, max_size=4),
    ignored=st.sets(st.integers(1, 4), max_size=3),
    kernel=KERNELS,
    versions=st.tuples(VERSIONS, VERSIONS, VERSIONS),
    flavour=st.sampled_from([None, "open", "proprietary", "other"]),
    secure_boot=st.sampled_from(SECURE),
    container=st.sampled_from([None, "lxc", "systemd-nspawn"]),
    branch=st.sampled_from([None, None, "535", "550", "580", "620", "newest"]),
    wished=st.sampled_from([None, None, "open", "proprietary"]),
    source=st.sampled_from([None, None, "debian-archive", "rpmfusion", "nvidia-repository", "x"]),
    enrolled=st.booleans(),
)
def test_no_plan_pairs_a_card_with_a_driver_outside_its_range(
    system: str, devices: list[int], ignored: set[int], kernel: str, versions: tuple[Any, ...],
    flavour: Any, secure_boot: Any, container: Any, branch: Any, wished: Any, source: Any,
    enrolled: bool,
) -> None:  # fmt: skip
    installed, loaded, userspace = versions
    there = {"installed": installed, "loaded": loaded, "userspace": userspace, "flavour": flavour}
    on = box(
        system,
        tuple(f"10de:{device:04x}" for device in devices),
        os={**BASE["os"], **SYSTEMS[system], "kernel": kernel},
        nvidia=there,
        secure_boot=secure_boot,
        container=container,
    )
    counted = [device for slot, device in enumerate(devices, 1) if slot not in ignored]
    if not counted:
        return
    made = decided(
        on,
        ignore_gpus=tuple(f"0000:{slot:02x}:00.0" for slot in ignored if slot <= len(devices)),
        driver_branch=branch,
        driver_flavour=wished,
        driver_source=source,
        driver_key_enrolled=enrolled,
    )
    if isinstance(made, Refusal):
        assert len(made.reason.split()) > 4 and len(made.cure.split()) > 2
        return
    for device in counted:
        assert accepts(device, int(made.branch), made.flavour), hex(device)
    assert branch in (None, made.branch) and wished in (None, made.flavour)
    for name in (*made.packages, made.module_stream or "", made.headers or ""):
        assert not forbidden(name), name
    if made.source == "installed":
        present = installed if made.build != "host" else loaded
        # libraries of which nothing is known are believed of a module that is loaded too
        assert userspace == present or (userspace is None and loaded == present)
        assert not secure_boot or loaded == installed or enrolled or made.build == "host"
    else:
        assert source in (None, made.source) and made.pin_packages
        assert not secure_boot or made.build == "signed" or enrolled
