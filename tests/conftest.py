"""For all tests: a garbage collector, examples and an environment that are the same each time."""

from __future__ import annotations

import gc
import os

from hypothesis import HealthCheck, settings

# plans build graphs of thousands of small objects without a cycle among them
gc.set_threshold(20_000, 50, 100)

# A gate answers the same for the same commit, on a machine of any speed. New examples are looked
# for with `--hypothesis-profile=search --hypothesis-seed=N`.
SLOW_MACHINE = [HealthCheck.too_slow]
settings.register_profile(
    "search", deadline=None, derandomize=False, suppress_health_check=SLOW_MACHINE
)
settings.register_profile("gate", settings.get_profile("search"), derandomize=True)
settings.load_profile("gate")

# what a terminal, a CI or a Git hook sets for its own programs; a test that wants it sets it
for name in [*os.environ]:
    if name in ("FORCE_COLOR", "NO_COLOR", "CDPATH") or name.startswith("GIT_"):
        del os.environ[name]
os.umask(0o022)


def pytest_collection_finish() -> None:
    """Modules and test items stay until the end; going through them again finds nothing."""
    gc.freeze()
