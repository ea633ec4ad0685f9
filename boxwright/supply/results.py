"""What asking the network brings: files, shapes and assets, or a Failure that says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from boxwright.plan.results import ModelFile
from boxwright.shapes import ModelShape


@dataclass(frozen=True)
class Failure:
    """Why something could not be had: what was found and needed, and what to do about it."""

    reason: str
    cure: str

    def sentence(self) -> str:
        """Both halves as one line."""
        return f"{self.reason}. Cure: {self.cure}."


class SupplyError(Exception):
    """A Failure on its way to the edge of this package, where it becomes a result."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(reason)
        self.failure = Failure(reason, cure)


@dataclass(frozen=True)
class ResolvedModel:
    """A model's exact files, pinned to a commit, and its shape.

    Names are paths inside the repository; every file has its size and sha256.
    """

    files: tuple[ModelFile, ...]
    commit: str
    shape: ModelShape


@dataclass(frozen=True)
class ReleaseAsset:
    """One file of a release; `url` may redirect."""

    name: str
    url: str
    size_bytes: int
    sha256: str


class Endpoints(Protocol):
    """Where to ask; `boxwright.operation.options.Endpoints` is one."""

    @property
    def models_hub_url(self) -> str: ...
    @property
    def models_hub_token_file(self) -> str | None: ...
    @property
    def runtime_release_api_url(self) -> str: ...
    @property
    def runtime_repository(self) -> str: ...
    @property
    def proxy_url(self) -> str | None: ...
    @property
    def proxy_exceptions(self) -> str: ...

    def hub_token(self) -> str | None:
        """The Hub token, or None; raises OSError if its file cannot be read."""
