"""A model as the Hub has it: exact files at a commit, checked against pins, and its shape."""

from __future__ import annotations

import tempfile
from pathlib import Path

from boxwright.gguf import GgufError, shape_of
from boxwright.plan.known import ModelChoice
from boxwright.plan.results import ModelFile
from boxwright.shapes import ModelShape
from boxwright.supply.http import Session
from boxwright.supply.hub import Hub, hub_server
from boxwright.supply.quants import Listed, choose_files
from boxwright.supply.ranges import fetch_headers
from boxwright.supply.results import Endpoints, ResolvedModel, SupplyError
from boxwright.supply.shape_cache import cached_shape, keep_shape


def find_model(choice: ModelChoice, endpoints: Endpoints) -> ResolvedModel:
    """Files, commit and shape of a chosen model; raises SupplyError."""
    with Session(hub_server(endpoints)) as session:
        hub = Hub(session, choice)
        listed = choose_files(choice, hub.files(choice.revision))
        commit = hub.commit(listed[0].path)
        if commit != choice.revision:
            # a branch may have moved since it was listed; the commit cannot
            listed = choose_files(choice, hub.files(commit))
        files = tuple(_checked(one, choice) for one in listed)
        shape = _shape(hub, commit, listed)
    return ResolvedModel(files=files, commit=commit, shape=shape)


def _checked(listed: Listed, choice: ModelChoice) -> ModelFile:
    """The file, if it is what the choice pins."""
    pinned_sha256 = choice.sha256.get(listed.path)
    pinned_bytes = choice.size_bytes.get(listed.path)
    sha256 = listed.sha256 or pinned_sha256
    if sha256 is None:
        raise SupplyError(
            f"{listed.path} in {choice.repository} has no sha256 on the Hub (it is not in LFS),"
            " needs one",
            f"pin its sha256 for {choice.name} in models_catalog",
        )
    if pinned_sha256 is not None and pinned_sha256.lower() != sha256:
        raise _not_as_pinned(listed, choice, f"sha256 {sha256}", pinned_sha256)
    if pinned_bytes not in (None, listed.size_bytes):
        raise _not_as_pinned(listed, choice, f"{listed.size_bytes} bytes", f"{pinned_bytes} bytes")
    return ModelFile(name=listed.path, size_bytes=listed.size_bytes, sha256=sha256.lower())


def _not_as_pinned(listed: Listed, choice: ModelChoice, found: str, needed: str) -> SupplyError:
    return SupplyError(
        f"{listed.path} in {choice.repository} at {choice.revision} has {found},"
        f" the catalog pins {needed}: it was uploaded anew",
        f"pin the old commit as the revision of {choice.name} in models_catalog, or its new sha256",
    )


def _shape(hub: Hub, commit: str, listed: tuple[Listed, ...]) -> ModelShape:
    names = [one.path for one in listed]
    repository = hub.choice.repository
    kept = cached_shape(repository, commit, names)
    if kept is not None:
        return kept
    with tempfile.TemporaryDirectory(prefix="boxwright-") as directory:
        headers = fetch_headers(hub, commit, listed, Path(directory))
        try:
            shape = shape_of(headers)
        except GgufError as error:
            raise SupplyError(
                f"{choice_name(hub.choice)} is no model that can be planned for: {error}",
                "choose another quant or another repository",
            ) from error
    keep_shape(repository, commit, names, shape)
    return shape


def choice_name(choice: ModelChoice) -> str:
    """How sentences call a choice."""
    return f"{choice.name} {choice.quant} of {choice.repository}"
