"""A release from source: one host compiles it, the others of the same pack get what it made."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import logger
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host, state

from boxwright.operation import (
    Ask,
    Commands,
    kept_pack,
    machine_of_host,
    no_room,
    noop,
    operation,
    refuse,
    release_needs,
)
from boxwright.plan.results import Refusal, SourceBuild
from roles.runtime.build import collected, compiled, directory_of
from roles.runtime.install import finished, new_stage, stage_of
from roles.runtime.packs import given, taken
from roles.runtime.planned import Planned, planned_source
from roles.runtime.share import Round
from roles.runtime.source import have_tree
from roles.runtime.toolkit import have_toolkit, have_tools

_round = Round()
_ungiven: set[tuple[str, str]] = set()  # hosts with the packs that could not be had from them
_unfit: set[tuple[str, str]] = set()  # hosts with the sha256 of packs that were of no use there


def _active() -> frozenset[str]:
    return frozenset(one.name for one in state.active_hosts)


@operation
def agree() -> Commands:
    """Say what this host lacks or has, so that one host compiles for all that are alike."""
    found = yield from planned_source()
    if found is None:
        _round.forget(host.name)
        return
    planned, source = found
    if planned.there:
        _round.has(host.name, source.pack)
        noop(f"release {planned.runtime.release} is installed")
    else:
        _round.lacks(host.name, source.pack, source.jobs)
        noop(f"release {planned.runtime.release} is missing")


@operation
def compile_for_all() -> Commands:
    """Compile on the host that was agreed on, unless a pack is there already."""
    found = yield from planned_source()
    if found is None:
        return
    planned, source = found
    active = _active()
    chosen = _round.compiler(source.pack, active)
    if planned.there:
        noop(f"release {planned.runtime.release} is installed")
    elif kept_pack(source) is not None:
        noop(f"pack {source.pack} is on this machine")
    elif chosen == host.name:
        for name, why in _round.failed(source.pack, active).items():
            host.log(f"{name} could not compile it: {why}")
        yield from _made(planned, source)
    else:
        noop(f"{chosen} compiles it" if chosen else "another host has it, or nobody could make it")


@operation
def give_to_others() -> Commands:
    """Bring a release here that was just compiled, or that another host of this run lacks."""
    found = yield from planned_source()
    if found is None:
        return
    planned, source = found
    active = _active()
    fresh = _round.made(host.name, source.pack)
    asked = _round.giver(source.pack, active) == host.name and _round.wanted(source.pack, active)
    tried = (host.name, source.pack) in _ungiven
    if not planned.there or not (fresh or asked) or kept_pack(source) is not None or tried:
        noop("no other host waits for what is here")
        return
    if not (yield from given(planned.runtime, source, planned.directory)):
        _ungiven.add((host.name, source.pack))


@operation
def take_from_others() -> Commands:
    """Install the pack that this machine has, without compiling."""
    found = yield from planned_source()
    if found is None:
        return
    planned, source = found
    pack = kept_pack(source)
    if planned.there:
        noop(f"release {planned.runtime.release} is installed")
    elif pack is None or (host.name, pack.sha256) in _unfit:
        noop("there is no pack to take")
    else:
        failed = yield from taken(planned.runtime, source, pack, planned.directory)
        if failed is not None:  # it compiles for itself in a later operation
            host.log(failed.sentence(), logger.warning)
        if failed is not None and kept_pack(source) is not None:
            _unfit.add((host.name, pack.sha256))


@operation
def compile_alone() -> Commands:
    """Compile on this host what no other host could give it."""
    found = yield from planned_source()
    if found is None:
        return
    planned, source = found
    if planned.there:
        noop(f"release {planned.runtime.release} is installed")
        return
    active = _active()
    if _round.hopeless(source.pack, active):
        yield from refuse(_nobody_could(planned.runtime.release, source.pack, active))
        return
    yield from _made(planned, source)
    if kept_pack(source) is None:
        yield from given(planned.runtime, source, planned.directory)


def _nobody_could(release: str, pack: str, active: frozenset[str]) -> Refusal:
    tried = [f"{name} ({why})" for name, why in _round.failed(pack, active).items()]
    return Refusal(
        f"release {release} is on no host: it does not compile on {' nor on '.join(tried)}",
        "mend what is told of those hosts, then run again: one host compiles for all that are"
        " alike",
    )


def _made(planned: Planned, source: SourceBuild) -> Commands:
    """Compile and install; the host is refused where that cannot be done."""
    # pyinfra, when it only looks for changes, stops here: then nobody has begun anything
    yield Ask(":")
    _round.begins(host.name, source.pack)
    failed = yield from _steps(planned, source)
    if failed is not None:
        _round.fails(host.name, source.pack, failed.reason)
        yield from refuse(failed)
        return
    # what is left of the build goes once the release has its name; ccache stays
    yield StringCommand("rm -rf --", QuoteString(directory_of(planned.runtime)))
    _round.has(host.name, source.pack)


def _steps(
    planned: Planned, source: SourceBuild
) -> Generator[PyinfraCommand, None, Refusal | None]:
    runtime, build = planned.runtime, directory_of(planned.runtime)
    needs = release_needs(runtime, planned.directory)
    full = needs if isinstance(needs, Refusal) else no_room(machine_of_host(), *needs)
    if full is not None:
        return full
    yield from have_tools(source)
    failed = yield from have_toolkit(source)
    if failed is not None:
        return failed
    commit = yield from have_tree(source, build)
    if isinstance(commit, Refusal):
        return commit
    failed = yield from compiled(runtime, source, commit)
    if failed is not None:
        return failed
    stage = stage_of(runtime, planned.directory)
    yield from new_stage(stage)
    failed = yield from collected(runtime, source, stage)
    if failed is not None:
        return failed
    return (yield from finished(runtime, planned.directory, ()))
