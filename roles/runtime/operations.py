"""What brings a llama.cpp release to a host: fetch, unpack beside, ask the binary, rename, link."""

from __future__ import annotations

import json
from collections.abc import Generator

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.facts import Releases
from boxwright.operation import (
    Ask,
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
    refuse,
    release_assets,
    wanted_for_host,
    write_whole,
)
from boxwright.plan.results import Refusal, RuntimePlan
from roles.runtime.binary import build_of, flags_of
from roles.runtime.releases import prunable, stamp_of, stamped_as_planned

SERVICE_USER = "llama"
UNPACKED_PER_PACKED = 4  # upstream's CUDA asset: 0.2 GB packed, 0.7 GB unpacked
MIB = 1024 * 1024


@operation
def install_release() -> Commands:
    """Have the planned release under its own name, whole and checked."""
    plan = plan_for_host()
    if plan.refusal is not None or plan.runtime is None:
        yield from refuse(plan.refusal or Refusal("no runtime is planned", "report this"))
        return
    directory = wanted_for_host().runtime_directory
    if stamped_as_planned(host.get_fact(Releases, directory=directory), plan.runtime):
        noop(f"release {plan.runtime.release} is installed")
        return
    if plan.runtime.kind == "source":
        yield from refuse(
            Refusal(
                f"release {plan.runtime.release} has to be compiled, which is not done yet",
                "name assets of your own in runtime_asset_rows",
            )
        )
        return
    failed = yield from _install(plan.runtime, directory)
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
    if host.get_fact(Releases, directory=directory).current == release:
        noop(f"current is {release}")
        return
    link, fresh = f"{directory}/current", f"{directory}/.current.new"
    yield StringCommand(
        "ln -sfn", QuoteString(release), QuoteString(fresh),
        "&& mv -T", QuoteString(fresh), QuoteString(link),
    )  # fmt: skip


@operation
def tidy_releases() -> Commands:
    """Remove what a killed run left, and releases beyond `runtime_keep`."""
    directory = wanted_for_host().runtime_directory
    releases = host.get_fact(Releases, directory=directory)
    names = (*releases.leftovers, *prunable(releases, int(option("runtime_keep", 2))))
    if not names:
        noop("only wanted releases are there")
        return
    paths = [QuoteString(f"{directory}/{name}") for name in names]
    yield StringCommand("rm", "-rf", "--", *paths, QuoteString(f"{directory}/.downloads"))


def _install(
    runtime: RuntimePlan, directory: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    assets = release_assets(runtime)
    if isinstance(assets, Refusal):
        return assets
    packed = sum(asset.size_bytes for asset in assets)
    full = no_room(
        machine_of_host(),
        directory,
        (1 + UNPACKED_PER_PACKED) * packed // MIB,
        f"release {runtime.release}",
        "free space there, or name another runtime_directory",
    )
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
    stage = f"{directory}/{runtime.release}.part"
    yield StringCommand("rm -rf --", QuoteString(stage))
    yield StringCommand("umask 022 && mkdir -p", QuoteString(stage))
    for asset in assets:
        # the top directory goes: the CUDA libraries lie beside the binary that looks for them there
        yield StringCommand(
            "umask 022 && tar --extract --gzip --no-same-owner --strip-components=1 --file",
            QuoteString(f"{downloads}/{asset.name}"), "--directory", QuoteString(stage),
        )  # fmt: skip
    flags = yield from _asked_flags(runtime, stage)
    if isinstance(flags, Refusal):
        return flags
    sums = tuple((asset.name, asset.sha256) for asset in assets)
    stamp = json.dumps(stamp_of(runtime, sums, flags), indent=1) + "\n"
    yield write_whole(f"{stage}/boxwright.json", stamp)
    whole = QuoteString(f"{directory}/{runtime.release}")
    # a release that is there without the stamp it should have is no release: the new one takes over
    yield StringCommand("rm -rf --", whole, "&& sync -f", QuoteString(stage),
                        "&& mv -T", QuoteString(stage), whole)  # fmt: skip
    yield StringCommand("rm -rf --", QuoteString(downloads))
    return None


def _asked_flags(
    runtime: RuntimePlan, stage: str
) -> Generator[PyinfraCommand, None, frozenset[str] | Refusal]:
    binary = QuoteString(f"{stage}/llama-server")
    version = Ask(f"cd / && runuser -u {SERVICE_USER} --", binary, "--version 2>&1")
    yield version
    build = build_of("\n".join(version.lines))
    if not version.succeeded or build != runtime.build:
        return Refusal(
            f"the binary of release {runtime.release} says build {build or 'unknown'}, needed"
            f" {runtime.build} (it said: {version.last_line or 'nothing'})",
            "check runtime_asset_rows and the release it names, or choose another runtime_build",
        )
    told = Ask(f"cd / && runuser -u {SERVICE_USER} --", binary, "--help 2>&1")
    yield told
    flags = flags_of("\n".join(told.lines))
    if not told.succeeded or not flags:
        return Refusal(
            f"the binary of release {runtime.release} does not print its flags"
            f" ({told.last_line or 'no output'})",
            "choose another runtime_build",
        )
    return flags
