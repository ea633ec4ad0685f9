"""The one line of a package manager's output that tells why it failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 240  # characters; a sentence with more in brackets is not read

# What tells most comes first: a full disk also makes dpkg complain of the package it was at. Words
# are those of apt, dpkg, rpm and dnf under LC_ALL=C.
TELLING = (
    r"No space left on device|more space needed on",
    r"NO_PUBKEY|Public key for|is not signed|not correct for this package|couldn't be verified",
    r"signatures? (were|was) invalid|Signing key on|GPG check FAILED|Signature verification failed",
    r"Could not resolve|Temporary failure resolving|Curl error|Could not connect|Failed to connect",
    r"404  Not Found|Hash Sum mismatch|Failed to download metadata|does not have a Release file",
    r"dpkg: error processing|bad exit status|Error! ",
    r"^\s*(- )?Problem|(Depends|Conflicts|Breaks|PreDepends): ",
    r"nothing provides|held broken packages|unmet dependencies",
    r"Unable to locate package|Unable to find a match|No match for argument|no installation cand",
    r"dpkg was interrupted|Could not get lock|transaction lock|already locked by",
    r"^(E|Error|error): ",
)
MARK = re.compile(r"^(E|Err|Error|error|RPM|W)(:\d+)?: (error: )?")


def complaint_in(lines: Sequence[str]) -> str:
    """Why the program failed, by its own words in one line; empty if it said nothing."""
    said = [line.strip() for line in lines if line.strip()]
    for pattern in TELLING:
        found = next((line for line in said if re.search(pattern, line)), None)
        if found is not None:
            return _short(found)
    return _short(said[-1]) if said else ""


def _short(line: str) -> str:
    text = " ".join(MARK.sub("", line).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
