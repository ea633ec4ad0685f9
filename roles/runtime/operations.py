"""What brings a llama.cpp release to a host: fetch, unpack beside, ask the binary, rename, link."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.facts import Releases
from boxwright.operation import (
    Commands,
    Download,
    endpoints_for_host,
    fetch,
    machine_of_host,
    no_room,
    noop,
    operation,
    option,
    plan_for_host,
    recently,
    refuse,
    release_assets,
    release_needs,
    wanted_for_host,
)
from boxwright.plan.results import Refusal, RuntimePlan
from roles.runtime.cuda_source import TEMPORARY
from roles.runtime.install import finished, new_stage, stage_of, unpacked
from roles.runtime.leftovers import BuildLeftovers
from roles.runtime.planned import planned_runtime
from roles.runtime.releases import prunable


@operation
def install_release() -> Commands:
    """Have upstream's release under its own name, whole and checked, where that is planned."""
    planned = yield from planned_runtime()
    if planned is None:
        return
    if planned.runtime.source is not None:
        noop(f"release {planned.runtime.release} is compiled")
    elif planned.there:
        noop(f"release {planned.runtime.release} is installed")
    else:
        failed = yield from _install(planned.runtime, planned.directory)
        if failed is not None:
            yield from refuse(failed)


@operation
def choose_release() -> Commands:
    """Point `current` at the planned release, in one step of the file system."""
    plan = plan_for_host()
    if plan.refusal is not None or plan.runtime is None:
        yield from refuse(plan.refusal or Refusal("no runtime is planned", "report this"))
        return
    directory, release = wanted_for_host().runtime_directory, plan.runtime.release
    if recently(Releases, directory=directory).current == release:
        noop(f"current is {release}")
        return
    link, fresh = f"{directory}/current", f"{directory}/.current.new"
    yield StringCommand(
        "ln -sfn", QuoteString(release), QuoteString(fresh),
        "&& mv -T", QuoteString(fresh), QuoteString(link),
    )  # fmt: skip


@operation
def tidy_releases() -> Commands:
    """Remove what a killed run or build left, and releases beyond `runtime_keep`."""
    directory = wanted_for_host().runtime_directory
    releases = recently(Releases, directory=directory)
    names = (*releases.leftovers, *prunable(releases, int(option("runtime_keep", 2))))
    left = host.get_fact(BuildLeftovers, also=list(TEMPORARY))
    if not names and not left:
        noop("only wanted releases are there")
        return
    paths = [QuoteString(f"{directory}/{name}") for name in names]
    own = [f"{directory}/.downloads", *left]
    yield StringCommand("rm", "-rf", "--", *paths, *(QuoteString(path) for path in own))


def _install(
    runtime: RuntimePlan, directory: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    assets, needs = release_assets(runtime), release_needs(runtime, directory)
    if isinstance(assets, Refusal):
        return assets
    full = needs if isinstance(needs, Refusal) else no_room(machine_of_host(), *needs)
    if full is not None:
        return full
    endpoints, downloads = endpoints_for_host(), f"{directory}/.downloads"
    for asset in assets:
        path = f"{downloads}/{asset.name}"
        item = Download(
            asset.url, path, asset.size_bytes, asset.sha256,
            unreachable_cure="check that the host reaches the release's download address, or name"
            " a mirror with runtime_release_api_url or a proxy with proxy_url",
        )  # fmt: skip
        # a file that a killed run left whole is checked again rather than fetched again
        yield StringCommand(
            "test ! -e", QuoteString(path),
            "|| mv -T", QuoteString(path), QuoteString(item.part),
        )  # fmt: skip
        failed = yield from fetch(item, endpoints)
        if failed is not None:
            return failed
    stage = stage_of(runtime, directory)
    yield from new_stage(stage)
    yield from unpacked([f"{downloads}/{asset.name}" for asset in assets], stage)
    failed = yield from finished(
        runtime, directory, [(asset.name, asset.sha256) for asset in assets]
    )
    if failed is None:
        yield StringCommand("rm -rf --", QuoteString(downloads))
    return failed
