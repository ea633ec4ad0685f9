"""Why a package manager failed, by its own words: those of apt, dpkg, rpm and dnf."""

from __future__ import annotations

import pytest

from boxwright.operation.complaint import LONGEST, complaint_in

HELD = """\
Some packages could not be installed. This may mean that you have
requested an impossible situation or if you are using the unstable
The following packages have unmet dependencies:
 nvidia-driver-cuda : Depends: libcuda1 (= 580.95.05-1) but 595.58.03-1 is to be installed
E: Unable to correct problems, you have held broken packages.
"""
FULL = """\
Unpacking nvidia-kernel-dkms (580.95.05-1) ...
dpkg: error processing archive /var/cache/apt/archives/x.deb (--unpack):
 cannot copy extracted data for './usr/src/x' to '/usr/src/x.dpkg-new': failed to write (No space \
left on device)
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
CONFIGURE = """\
Setting up nvidia-kernel-dkms (580.95.05-1) ...
Error! Bad return status for module build on kernel: 6.12.48 (x86_64)
dpkg: error processing package nvidia-kernel-dkms (--configure):
 installed nvidia-kernel-dkms package post-installation script subprocess returned error exit \
status 10
E: Sub-process /usr/bin/dpkg returned an error code (1)
"""
WRONG_KEY = """\
Get:1 http://mirror/cuda/debian12  InRelease [1581 B]
Err:1 http://mirror/cuda/debian12  InRelease
  The following signatures couldn't be verified because the public key is not available: NO_PUBKEY \
A4B469963BF863CC
E: The repository 'http://mirror/cuda/debian12  InRelease' is not signed.
"""
UNREACHABLE = """\
Ign:1 http://mirror/debian trixie InRelease
Err:1 http://mirror/debian trixie InRelease
  Could not resolve 'mirror'
E: Some index files failed to download. They have been ignored, or old ones used instead.
"""
DNF_CONFLICT = """\
Last metadata expiration check: 0:00:01 ago on Tue Nov 24 05:42:24 2026.
Error: 
 Problem: package nvidia-driver-cuda-3:595.58.03-1.el9.x86_64 from t requires nvidia-driver-libs \
= 3:595.58.03, but none of the providers can be installed
  - conflicting requests
(try to add '--allowerasing' to command line to replace conflicting packages)
"""
DNF_UNREACHABLE = """\
Errors during downloading metadata for repository 'u':
  - Curl error (7): Could not connect to server for http://repo.invalid/x/repodata/repomd.xml
Error: Failed to download metadata for repo 'u': Cannot download repomd.xml
"""
DNF_UNSIGNED = """\
Downloading Packages:
Package nvidia-driver-cuda-595.58.03-1.el9.x86_64.rpm is not signed
Error: GPG check FAILED
"""
DNF_WRONG_KEY = """\
Import of key(s) didn't help, wrong key(s)?
Public key for epel-release-9-7.el9.x86_64.rpm is not installed. Failing package is: \
epel-release-9-7.el9.x86_64
 GPG Keys are configured as: file:///etc/pki/rpm-gpg/other.asc
Error: GPG check FAILED
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DNF_WRONG_KEY, "Public key for epel-release-9-7.el9.x86_64.rpm is not installed"),
        (HELD, "nvidia-driver-cuda : Depends: libcuda1 (= 580.95.05-1)"),
        (FULL, "No space left on device"),
        (CONFIGURE, "Bad return status for module build on kernel: 6.12.48"),
        (WRONG_KEY, "NO_PUBKEY A4B469963BF863CC"),
        (UNREACHABLE, "Could not resolve 'mirror'"),
        ("E: Unable to locate package nonesuch\n", "Unable to locate package nonesuch"),
        ("Error: Unable to find a match: nosuch nosuch2", "Unable to find a match: nosuch nosuch2"),
        (DNF_CONFLICT, "Problem: package nvidia-driver-cuda-3:595.58.03"),
        (DNF_UNREACHABLE, "Could not connect to server for http://repo.invalid"),
        (DNF_UNSIGNED, "nvidia-driver-cuda-595.58.03-1.el9.x86_64.rpm is not signed"),
        ("something else\nthe last words\n\n", "the last words"),
    ],
)
def test_the_line_that_tells_most_is_found(text: str, words: str) -> None:
    said = complaint_in(text.splitlines())
    assert words in said
    assert "\n" not in said and not said.startswith(("E: ", "Error: "))


def test_silence_is_no_reason_and_a_long_one_is_cut() -> None:
    assert complaint_in([]) == complaint_in(["", "  "]) == ""
    assert len(complaint_in(["E: " + "x" * 1000])) == LONGEST + 1
