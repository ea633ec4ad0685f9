"""The lab's verbs: up, down, reset and status."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.lab import access, boot, document, images, network, rootfs, servers, shaders, world
from tests.lab.hosts import EVERY, HOSTS, HostSpec, host_named
from tests.lab.settings import CACHE_ROOT, STATE_ROOT, Lab
from tests.lab.state import Process, Record, host_dir, lock_of, locked, stop, strays

Say = Callable[[str], None]


@dataclass(frozen=True)
class HostStatus:
    """One row of `status`."""

    host: str
    address: str
    base_url: str
    user: str
    state: str


@dataclass(frozen=True)
class Ingredients:
    """What hosts are made of, all of it in the cache shared by every lab."""

    layers: dict[str, Path]
    downloads: world.World


def _gather() -> Ingredients:
    """Make what the cache lacks: base layers and downloads beside each other."""
    with ThreadPoolExecutor() as pool:
        building = {name: pool.submit(images.build, name) for name in images.LAYERS}
        downloads = world.prepare(CACHE_ROOT)
        layers = {name: layer.result() for name, layer in building.items()}
    return Ingredients(layers, downloads)


def up(lab: Lab, say: Say) -> None:
    """Bring up what is not up; what runs stays as it is. Raise RuntimeError if a part cannot."""
    began = time.monotonic()
    with locked(lock_of(lab)):
        network.up(lab, HOSTS)
        lab.state.mkdir(parents=True, exist_ok=True)
        access.prepare(lab, HOSTS)
        say("base layers and downloads (a few minutes the first time)")
        ingredients = _gather()
        record = Record(lab)
        servers.start(lab, ingredients.downloads, record)
        say(f"servers answer on {lab.gateway} after {time.monotonic() - began:.1f} s")
        missing = [spec for spec in HOSTS if not _runs(record.hosts.get(spec.name))]
        _boot(lab, missing, ingredients, record, say)
        document.write(lab, world.describe(lab, ingredients.downloads))
    _hand_over_shaders(lab, HOSTS, ingredients, say)
    say(f"lab {lab.name} is up after {time.monotonic() - began:.1f} s")


def _boot(
    lab: Lab, specs: Sequence[HostSpec], ingredients: Ingredients, record: Record, say: Say
) -> None:
    """Boot these hosts beside each other, each from the root it has or a fresh one."""
    systems = sorted({spec.guest_os for spec in specs})
    sources = {name: world.guest_sources(lab, ingredients.downloads, name) for name in systems}

    def lay(spec: HostSpec) -> None:
        boot.write_hardware(lab, spec)
        layer = ingredients.layers[spec.layer]
        rootfs.create(lab, spec, layer, sources[spec.guest_os])

    def wait(spec: HostSpec) -> None:
        began = time.monotonic()
        boot.wait(lab, spec, record.hosts[spec.name])
        took_s = time.monotonic() - began
        say(f"{spec.name} takes logins at {spec.address(lab)} after {took_s:.1f} s")

    with ThreadPoolExecutor() as pool:
        list(pool.map(lay, specs))
        for spec in specs:
            boot.halt(lab, spec, None)
            record.hosts[spec.name] = boot.start(lab, spec, ingredients.layers[spec.layer])
            record.save()
        list(pool.map(wait, specs))


def _hand_over_shaders(
    lab: Lab, specs: Iterable[HostSpec], ingredients: Ingredients, say: Say
) -> None:
    """Hosts with a GPU get its shaders, compiled first (some minutes) if this is the first time."""
    if world.shader_cache(ingredients.downloads) is None:
        say("compiling shaders once for the software GPU; the hosts can be used meanwhile")
    compiled = world.warm(ingredients.layers["trixie"], ingredients.downloads)
    with ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(shaders.hand_over, lab, spec, compiled) for spec in specs if spec.cards
        ]:
            done.result()


def _runs(process: Process | None) -> bool:
    return process is not None and process.alive


def reset(lab: Lab, name: str, say: Say) -> None:
    """Give a host a fresh install and boot it; its model disk and its keys stay.

    Raises LookupError for an unknown host, RuntimeError if it cannot boot.
    """
    began = time.monotonic()
    reset_all(lab, [host_named(name)], say)
    say(f"{name} is a fresh install again after {time.monotonic() - began:.1f} s")


def reset_all(lab: Lab, specs: Sequence[HostSpec], say: Say) -> None:
    """The same for several hosts beside each other, spares that are to serve too."""
    _hand_over_shaders(lab, specs, boot_fresh(lab, specs, say), say)


def boot_fresh(lab: Lab, specs: Sequence[HostSpec], say: Say) -> Ingredients:
    """Boot these hosts, spares too, each from a fresh install, whatever they were before."""
    with locked(lock_of(lab)), ExitStack() as old_roots:
        document.require(lab)
        network.up(lab, specs)
        access.prepare(lab, specs)
        ingredients = _gather()
        record = Record(lab)
        for spec in specs:
            boot.halt(lab, spec, record.hosts.pop(spec.name, None))
            record.save()
            old_roots.enter_context(rootfs.discarded(lab, spec))
        _boot(lab, specs, ingredients, record, say)
    return ingredients


def halt(lab: Lab, specs: Sequence[HostSpec]) -> None:
    """Pull the plugs of these hosts; what is on their disks stays until the lab goes down."""
    with locked(lock_of(lab)):
        record = Record(lab)
        for spec in specs:
            boot.halt(lab, spec, record.hosts.pop(spec.name, None))
            record.save()


def power_cycle(lab: Lab, spec: HostSpec, while_off: Callable[[Path], None], say: Say) -> None:
    """Pull a host's plug, change its disk (the upper layer of its root), and boot it again."""
    with locked(lock_of(lab)):
        record = Record(lab)
        boot.halt(lab, spec, record.hosts.pop(spec.name, None))
        record.save()
        while_off(host_dir(lab, spec.name) / "root" / "upper")
        _boot(lab, [spec], _gather(), record, say)


def down(lab: Lab, say: Say) -> None:
    """End what the lab started and remove every trace of it but the shared cache."""
    with locked(lock_of(lab)):
        record = Record(lab)
        stop(record.servers, graceful_s=servers.STOP_S)
        stop([*record.hosts.values(), *strays(lab)])
        for spec in EVERY:
            boot.halt(lab, spec, None)
        network.down(lab)
        shutil.rmtree(lab.state, ignore_errors=True)
        if STATE_ROOT.is_dir() and not any(STATE_ROOT.iterdir()):
            STATE_ROOT.rmdir()
        lock_of(lab).unlink(missing_ok=True)
    say(f"lab {lab.name} is down")


def status(lab: Lab) -> list[HostStatus]:
    """The hosts and whether they run."""
    record = Record(lab)
    return [
        HostStatus(
            host=spec.name,
            address=spec.address(lab),
            base_url=spec.base_url(lab),
            user=spec.user,
            state="running" if _runs(record.hosts.get(spec.name)) else "stopped",
        )
        for spec in HOSTS
    ]
