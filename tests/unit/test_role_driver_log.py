"""The kernel's texts on NVIDIA's driver, wrapped as it prints them, become sentences."""

from __future__ import annotations

import pytest

from roles.driver.kernel_log import told_by_kernel

OPEN_NEEDED = """\
NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.105.08  Wed Oct 29 23:15:11 UTC 2025
NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:2c58)
NVRM: installed in this system requires use of the NVIDIA open kernel modules.
NVRM: GPU 0000:02:00.0: RmInitAdapter failed! (0x22:0x56:884)
NVRM: GPU 0000:02:00.0: rm_init_adapter failed, device minor number 0
NVRM: The NVIDIA GPU 0000:02:00.0 (PCI ID: 10de:2c58)
NVRM: installed in this system requires use of the NVIDIA open kernel modules.
NVRM: GPU 0000:02:00.0: RmInitAdapter failed! (0x22:0x56:884)
"""
NO_GSP = """\
[    6.123456] NVRM: The NVIDIA GPU 0000:03:00.0 (PCI ID: 10de:1bb0)
               NVRM: installed in this system is not supported by open
               NVRM: nvidia.ko because it does not include the required GPU
               NVRM: System Processor (GSP).
               NVRM: Please see the 'Open Linux Kernel Modules' and 'GSP
               NVRM: Firmware' sections in the driver README, available on
               NVRM: the Linux graphics driver download page at
               NVRM: www.nvidia.com.
[    6.123999] nvidia: probe of 0000:03:00.0 failed with error -1
[    6.124000] NVRM: The NVIDIA probe routine failed for 1 device(s).
[    6.124001] NVRM: None of the NVIDIA devices were initialized.
"""
LEGACY = """\
NVRM: The NVIDIA Quadro P5000 GPU installed in this system is
NVRM:  supported through the NVIDIA 580.xx Legacy drivers. Please
NVRM:  visit http://www.nvidia.com/object/unix.html for more
NVRM:  information.  The 595.58.03 NVIDIA driver will ignore
NVRM:  this GPU.  Continuing probe...
NVRM: No NVIDIA GPU found.
"""
NOT_SUPPORTED = """\
NVRM: The NVIDIA GPU 0000:3c:00.0 (PCI ID: 10de:2d04)
NVRM: installed in this system is not supported by the
NVRM: NVIDIA 555.58.02 driver release.
NVRM: Please see 'Appendix A - Supported NVIDIA GPU Products'
NVRM: in this release's README, available on the operating system
"""
NOT_SUPPORTED_BEFORE = """\
NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:139b)
NVRM: installed in this system is not supported by the 370.28
NVRM: NVIDIA Linux driver release.  Please see 'Appendix
NVRM: A - Supported NVIDIA GPU Products' in this release's
"""
FALLEN = """\
NVRM: The NVIDIA GPU 0000:5d:00.0
NVRM: (PCI ID: 10de:2330) installed in this system has
NVRM: fallen off the bus and is not responding to commands.
"""
XID_79 = """\
NVRM: Xid (PCI:0000:05:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
"""
INIT_FAILED = """\
NVRM: GPU 0000:81:00.0: RmInitAdapter failed! (0x24:0x72:1520)
NVRM: GPU 0000:81:00.0: rm_init_adapter failed, device minor number 1
"""
MISMATCH = """\
NVRM: API mismatch: the client has the version 470.129.06, but
NVRM: this kernel module has the version 470.103.01.  Please
NVRM: make sure that this kernel module and all NVIDIA driver
NVRM: components have the same version.
"""
MISMATCH_NAMED = """\
NVRM: API mismatch: the client 'nvidia-smi' (pid 1234)
NVRM: has the version 595.84, but this kernel module has
NVRM: the version 595.71.05.  Please make sure that this
NVRM: kernel module and all NVIDIA driver components
NVRM: have the same version.
"""
NO_WINDOW = """\
NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:
NVRM: BAR1 is 0M @ 0x0 (PCI:0000:02:00.0)
NVRM: The system BIOS may have misconfigured your GPU.
"""
TAKEN = """\
NVRM: The NVIDIA probe routine was not called for 1 device(s).
NVRM: This can occur when a driver such as:
NVRM: nouveau, rivafb, nvidiafb or rivatv
NVRM: was loaded and obtained ownership of the NVIDIA device(s).
"""
UNSIGNED = (
    "nvidia: module verification failed: signature and/or required key missing - tainting kernel"
)
REJECTED = "Loading of module with unavailable key is rejected"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OPEN_NEEDED, ("0000:02:00.0", "open kernel modules", "proprietary ones are loaded")),
        (NO_GSP, ("0000:03:00.0", "GSP", "proprietary")),
        (LEGACY, ("Quadro P5000", "580.xx")),
        (NOT_SUPPORTED, ("0000:3c:00.0", "555.58.02")),
        (NOT_SUPPORTED_BEFORE, ("0000:01:00.0", "370.28")),
        (FALLEN, ("0000:5d:00.0", "fallen off the bus")),
        (XID_79, ("0000:05:00", "fallen off the bus")),
        (INIT_FAILED, ("0000:81:00.0", "RmInitAdapter failed", "0x24:0x72:1520")),
        (MISMATCH, ("470.129.06", "470.103.01", "reboot")),
        (MISMATCH_NAMED, ("595.84", "595.71.05")),
        (NO_WINDOW, ("0000:02:00.0", "BAR1", "Above 4G")),
        (TAKEN, ("nouveau", "before NVIDIA's")),
        (REJECTED, ("signature", "Secure Boot")),
    ],
)
def test_a_known_text_becomes_one_sentence(text: str, words: tuple[str, ...]) -> None:
    (sentence,) = told_by_kernel(text.splitlines(), secure_boot=False)
    for word in words:
        assert word in sentence
    assert "NVRM" not in sentence


def test_several_troubles_are_several_sentences() -> None:
    text = LEGACY + FALLEN + INIT_FAILED
    told = told_by_kernel(text.splitlines(), secure_boot=False)
    assert len(told) == 3
    assert "P5000" in told[0] and "0000:5d:00.0" in told[1] and "0000:81:00.0" in told[2]


def test_two_cards_with_one_trouble_are_both_named() -> None:
    text = OPEN_NEEDED + OPEN_NEEDED.replace("0000:02:00.0", "0001:82:00.0")
    told = told_by_kernel(text.splitlines(), secure_boot=False)
    assert [("0000:02:00.0" in one, "0001:82:00.0" in one) for one in told] == [
        (True, False),
        (False, True),
    ]


def test_a_failed_verification_is_a_reason_with_secure_boot_only() -> None:
    assert told_by_kernel([UNSIGNED], secure_boot=False) == ()
    assert told_by_kernel([UNSIGNED], secure_boot=None) == ()
    (sentence,) = told_by_kernel([UNSIGNED], secure_boot=True)
    assert "not enrolled" in sentence


def test_an_unknown_text_is_given_as_it_is_without_what_is_harmless() -> None:
    lines = ["NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.1", UNSIGNED, "NVRM: new trouble"]
    assert told_by_kernel(lines, secure_boot=False) == ("NVRM: new trouble",)
    assert told_by_kernel([], secure_boot=True) == ()
