"""The stamp of a release, and which releases have had their time (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from boxwright.facts import ReleasesState
from boxwright.plan.results import RuntimePlan

SCHEMA = "boxwright.release/1"


def stamp_of(
    runtime: RuntimePlan, sums: Iterable[tuple[str, str]], flags: frozenset[str]
) -> dict[str, Any]:
    """The stamp, written last into a release: what it was made of, and the flags it takes."""
    return {
        "schema": SCHEMA,
        "release": runtime.release,
        "build": runtime.build,
        "cuda": runtime.cuda,
        "pack": runtime.source.pack if runtime.source else None,
        "source": f"{runtime.source.repository}@{runtime.source.ref}" if runtime.source else None,
        "assets": [{"name": name, "sha256": sha256} for name, sha256 in sums],
        "flags": sorted(flags),
    }


def prunable(releases: ReleasesState, keep: int) -> tuple[str, ...]:
    """Releases beyond the current one and the newest others, `keep` in all (at least 1).

    Only what carries our stamp is ever named. Without a current one nothing is.
    """
    if releases.current is None:
        return ()
    others = [stamp.release for stamp in releases.installed if stamp.release != releases.current]
    newest_first = sorted(others, key=_build_number, reverse=True)
    return tuple(sorted(newest_first[max(keep, 1) - 1 :]))


def _build_number(release: str) -> tuple[int, str]:
    found = re.match(r"b(\d+)", release)
    return (int(found.group(1)) if found else 0, release)
