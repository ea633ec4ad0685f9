"""What a plan may know beside machine and catalog: resolved files, shape, installed flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from boxwright.plan.results import ModelFile
from boxwright.shapes import ModelShape


@dataclass(frozen=True)
class ModelChoice:
    """Which model and quant is meant, with what the catalog knows of its files.

    `names` are paths inside the repository; empty when only the Hub can tell which files a quant
    has. `sha256` and `size_bytes` hold what is pinned, by name.
    """

    name: str
    quant: str
    repository: str
    revision: str
    names: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    size_bytes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What a host did with just the release, model and configuration that are planned.

    Both are (least, median, most); `prefill_tok_s` is None where no long prompt was asked.
    """

    decode_tok_s: tuple[float, float, float]
    prefill_tok_s: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Known:
    """Facts from outside the machine report, resolved before planning; all may be missing.

    `flags_by_release` maps a release directory's name to the flags its own `--help` lists;
    `bytes_on_host` is how much of the model already lies on its disk, finished or partial;
    `measured` replaces the prediction of speed. `notes` are sentences for the plan's warnings; one
    of them says so where `shape` is `estimated`.
    """

    files: tuple[ModelFile, ...] = ()
    commit: str | None = None
    shape: ModelShape | None = None
    flags_by_release: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bytes_on_host: int = 0
    measured: Measured | None = None
    notes: tuple[str, ...] = ()
    estimated: bool = False
