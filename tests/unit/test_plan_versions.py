"""Versions as numbers, and which code runs on which card."""

from __future__ import annotations

import pytest

from boxwright.plan.versions import at_least, kernel_suffix, runs_ptx, runs_sass


@pytest.mark.parametrize(
    ("arch", "capability", "sass", "ptx"),
    [
        ("86-real", "8.6", True, False),
        ("86-real", "8.9", True, False),
        ("86-real", "8.0", False, False),
        ("86-real", "9.0", False, False),
        ("120a-real", "12.0", True, False),
        ("120a-real", "12.1", False, False),
        ("61-virtual", "6.1", False, True),
        ("61-virtual", "7.0", False, True),
        ("61-virtual", "6.0", False, False),
        ("75-virtual", "6.1", False, False),
        ("90a-virtual", "9.0", False, False),
    ],
)
def test_which_code_runs_on_which_card(arch: str, capability: str, sass: bool, ptx: bool) -> None:
    """CUDA's own compatibility rules (programming guide, "Application Compatibility")."""
    assert (runs_sass(arch, capability), runs_ptx(arch, capability)) == (sass, ptx)


def test_versions_compare_as_numbers() -> None:
    assert at_least("580.126.09", "580.65.06") and not at_least("580.65", "580.65.06")
    assert at_least("2.39", "2.35") and not at_least("2.4", "2.35")
    assert kernel_suffix("6.1.0-40-cloud-amd64") == "cloud-amd64"
    assert kernel_suffix("6.12.48+deb13-amd64") == "amd64"
    assert kernel_suffix("6.8.0-1024-aws") == "aws"
