"""What dnf says that a transaction would do, read so that a wording not known here is noticed.

dnf has no other answer than the table it shows people. dnf4 (tried, 4.23) and dnf5 (its manual and
tests) word it alike, and both count below it what they listed: names and counts have to agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

NOTHING = re.compile(r"Nothing to do\.?\s*$")
SUMMARY = re.compile(r"Transaction Summary:?\s*$")
# "Remove   2 Packages" of dnf4, " Removing:   2 packages" of dnf5
COUNT = re.compile(
    r"\s*(?P<what>install|reinstall|upgrad|downgrad|remov|replac|skip|chang)[a-z ]*:?"
    r"\s+(?P<number>\d+) packages?\s*$",
    re.IGNORECASE,
)
ARCHITECTURE = re.compile(r"\.(noarch|x86_64|i[3-6]86|aarch64|ppc64le|s390x|src)$")


def removals_in(lines: Sequence[str]) -> tuple[str, ...] | None:
    """The packages that a transaction would remove, or replace by others; None if it is not told.

    It is not told where neither "nothing to do" nor a summary is found, where the summary has a
    line that is not known, or where it counts others than the table names.
    """
    removed, replaced = _named(lines)
    counts = _counted(lines)
    if counts is None or counts.get("remov", 0) != len(removed):
        return None
    if counts.get("replac", len(replaced)) != len(replaced):
        return None
    return (*removed, *(old for old, new in replaced if old != new))


def _named(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The rows of packages under headings `Removing…:`, and those replaced with what does it.

    A name that is too long for its column stands alone, and its row goes on in the next line.
    """
    removed: list[str] = []
    replaced: list[tuple[str, str]] = []
    removing, new = False, ""
    for line in lines:
        words = line.split()
        if SUMMARY.match(line):
            break
        if not line.startswith(" "):
            removing = line.startswith("Removing")
        elif words[:1] == ["replacing"] and len(words) > 1:
            replaced.append((ARCHITECTURE.sub("", words[1]), new))
        elif line[1:2].strip():
            new = words[0]
            removed += [new] if removing else []
    return removed, replaced


def _counted(lines: Sequence[str]) -> dict[str, int] | None:
    """How many packages the summary counts, by the beginning of its word; None for no summary."""
    if any(NOTHING.match(line) for line in lines):
        return {}
    rows = list(_rows_of_summary(lines))
    found = [COUNT.match(row) for row in rows]
    if not rows or not all(found):
        return None
    return {one["what"].lower(): int(one["number"]) for one in found if one}


def _rows_of_summary(lines: Sequence[str]) -> Iterator[str]:
    """The lines between the heading, with its rule, and the next empty one."""
    inside = False
    for line in lines:
        if SUMMARY.match(line):
            inside = True
        elif inside and not line.strip():
            return
        elif inside and line.strip("= "):
            yield line
