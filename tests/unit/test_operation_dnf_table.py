"""dnf's table of a transaction: what would go is read, or it is said that it cannot be read.

The texts of dnf4 are recorded from dnf 4.23, those of dnf5 are written after its own tests.
"""

from __future__ import annotations

import pytest

from boxwright.operation.dnf_table import removals_in

LONG = "a-very-long-name-of-a-package-that-a-user-installed-himself"
REMOVING = f"""\
Last metadata expiration check: 0:00:02 ago on Tue Nov 24 09:32:11 2026.
Dependencies resolved.
==================================================================================================
 Package                                                         Arch    Version       Repo   Size
==================================================================================================
Upgrading:
 nvidia-driver-cuda                                              noarch  3:580.2-1.el9 own   5.6 k
Removing dependent packages:
 {LONG}     noarch  3:1.0-1       @own    0
 needs-long                                                      noarch  3:1.0-1       @own    0

Transaction Summary
==================================================================================================
Upgrade  1 Package
Remove   2 Packages

Total size: 5.6 k
DNF will only download packages for the transaction.
Downloading Packages:
Complete!"""
REPLACING = """\
Dependencies resolved.
================================================================================
 Package             Architecture      Version             Repository      Size
================================================================================
Installing:
 new-name            noarch            3:2.0-1             own            5.5 k
     replacing  old-name.noarch 3:1.0-1

Transaction Summary
================================================================================
Install  1 Package

Total size: 5.5 k"""
ALREADY = """\
Package hello-1.0-1.noarch is already installed.
Dependencies resolved.
Nothing to do.
Complete!"""
DECLINED = """\
Dependencies resolved.
================================================================================
 Package            Architecture     Version            Repository         Size
================================================================================
Removing:
 hello              noarch           1.0-1              @own                0
 python3.11-x       noarch           3:1.0-1            @System             0

Transaction Summary
================================================================================
Remove  2 Packages

Freed space: 0
Operation aborted."""
WRAPPED = """\
Installing:
 nvidia-driver-cuda  x86_64   3:580.178.04-1.el9    boxwright-nvidia   520 k
     replacing  wholly-unrelated.x86_64 1.0-1
Removing:
 kmod-nvidia-open-dkms
                     noarch   3:595.58.03-1.el9     @boxwright-nvidia   12 M
Removing dependent packages:
 cuda-toolkit        x86_64   12.8-1                @cuda                1 k

Transaction Summary
================================================================================
Install  1 Package
Remove   2 Packages"""
DNF5 = """\
Updating and loading repositories:
Repositories loaded.
Package                     Arch   Version          Repository      Size
Upgrading:
 bind-libs                  x86_64 32:9.18.30-1     updates      3.6 MiB
   replacing bind-libs      x86_64 32:9.18.28-2     fedora       3.6 MiB
Installing:
 akmod-nvidia-580xx         x86_64 3:580.178.04-1   rpmfusion  100.0 KiB
   replacing python3.11-nv  x86_64 1.0-1            fedora       1.0 KiB
Removing:
 akmod-nvidia               x86_64 3:595.58.03-1    rpmfusion  100.0 KiB
Removing unused dependencies:
 users-own                  noarch 1-1              fedora       1.0 KiB

Transaction Summary:
 Installing:        1 package
 Upgrading:         1 package
 Replacing:         2 packages
 Removing:          2 packages

Total size of inbound packages is 4 MiB. Need to download 4 MiB."""


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        (REMOVING, {LONG, "needs-long"}),
        (REPLACING, {"old-name"}),
        (ALREADY, set()),
        (DECLINED, {"hello", "python3.11-x"}),
        (WRAPPED, {"wholly-unrelated", "kmod-nvidia-open-dkms", "cuda-toolkit"}),
        # an upgrade replaces the older version of the same package: that is no removal
        (DNF5, {"akmod-nvidia", "users-own", "python3.11-nv"}),
    ],
    ids=["removing", "replacing", "already", "declined", "wrapped", "dnf5"],
)
def test_the_table_names_what_would_go(text: str, gone: set[str]) -> None:
    assert set(removals_in(text.splitlines()) or ()) == gone


@pytest.mark.parametrize(
    ("text", "known", "other"),
    [
        (REMOVING, "Removing dependent packages:", "Erasing dependent packages:"),
        (REMOVING, "Remove   2 Packages", "Remove   3 Packages"),
        (REMOVING, "Remove   2 Packages", "Delete   2 Packages"),
        (REMOVING, "Transaction Summary", "Summary of the transaction"),
        (REMOVING, f" {LONG}", f"  {LONG}"),
        (DECLINED, "Remove  2 Packages", ""),
        (ALREADY, "Nothing to do.", "There is nothing that is to be done."),
        (DNF5, " Replacing:         2 packages", " Replacing:         3 packages"),
        (DNF5, " Removing:          2 packages", " Removing:          two packages"),
    ],
)
def test_another_wording_is_told_and_not_taken_for_nothing(
    text: str, known: str, other: str
) -> None:
    assert known in text
    assert removals_in(text.replace(known, other).splitlines()) is None


def test_an_answer_that_says_nothing_is_not_one_that_removes_nothing() -> None:
    assert removals_in([]) is None
