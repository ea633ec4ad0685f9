"""For all tests: the garbage collector looks at what they make, not at everything imported."""

from __future__ import annotations

import gc

# plans build graphs of thousands of small objects without a cycle among them
gc.set_threshold(20_000, 50, 100)


def pytest_collection_finish() -> None:
    """Modules and test items stay until the end; going through them again finds nothing."""
    gc.freeze()
