"""Whether a release is there, as every role judges it: by its stamp, not by its name (pure)."""

from __future__ import annotations

from boxwright.facts import ReleasesState
from boxwright.plan.results import RuntimePlan


def stamped_as_planned(releases: ReleasesState, runtime: RuntimePlan) -> bool:
    """Whether the planned release is there, made of the planned assets or of the planned source."""
    pack = runtime.source.pack if runtime.source else None
    return any(
        stamp.release == runtime.release
        and stamp.build == runtime.build
        and stamp.cuda == runtime.cuda
        and stamp.pack == pack
        and tuple(name for name, _ in stamp.assets) == runtime.assets
        for stamp in releases.installed
    )
