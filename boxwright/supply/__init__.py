"""What a run needs from the network, asked on the control machine, once per run; never raises."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.known import ModelChoice
from boxwright.supply.models import find_model
from boxwright.supply.once import forget, once
from boxwright.supply.packs import (
    Pack,
    drop_pack,
    find_pack,
    is_whole,
    keep_pack,
    pack_part,
    packs_directory,
)
from boxwright.supply.releases import find_assets
from boxwright.supply.results import Endpoints, Failure, ReleaseAsset, ResolvedModel
from boxwright.supply.sources import find_source
from boxwright.supply.stamps import model_from_stamp

__all__ = [
    "Endpoints",
    "Failure",
    "Pack",
    "ReleaseAsset",
    "ResolvedModel",
    "drop_pack",
    "find_pack",
    "forget",
    "is_whole",
    "keep_pack",
    "model_from_hub",
    "model_from_stamp",
    "pack_part",
    "packs_directory",
    "release_assets",
    "source_tree",
]


def model_from_hub(choice: ModelChoice, endpoints: Endpoints) -> ResolvedModel | Failure:
    """A chosen model's files, pinned to a commit, with sizes, sha256 and shape.

    Only the beginnings of its files are fetched, and those only the first time a machine asks.
    """
    pins = tuple(sorted(choice.sha256.items())), tuple(sorted(choice.size_bytes.items()))
    what = choice.name, choice.quant, choice.repository, choice.revision, tuple(choice.names)
    return once(("model", what, pins, _where(endpoints)), lambda: find_model(choice, endpoints))


def release_assets(
    build: str, names: Sequence[str], endpoints: Endpoints
) -> tuple[ReleaseAsset, ...] | Failure:
    """Where the named files of a release are, with sizes and sha256, in the order of `names`."""
    key = ("release", build, tuple(names), _where(endpoints))
    return once(key, lambda: find_assets(build, names, endpoints))


def source_tree(repository: str, ref: str, endpoints: Endpoints) -> str | Failure:
    """The URL of a packed source tree (a tag, branch or commit of OWNER/NAME) that is there."""
    key = ("source", repository, ref, _where(endpoints))
    return once(key, lambda: find_source(repository, ref, endpoints))


def _where(endpoints: Endpoints) -> tuple[str | None, ...]:
    return (
        endpoints.models_hub_url,
        endpoints.models_hub_token_file,
        endpoints.runtime_release_api_url,
        endpoints.runtime_repository,
        endpoints.proxy_url,
        endpoints.proxy_exceptions,
    )
