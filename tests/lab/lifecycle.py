"""The lab's verbs: up, down, reset and status."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab import access, boot, document, images, network, rootfs, servers
from tests.lab.hosts import HOSTS, HostSpec, host_named
from tests.lab.settings import STATE_ROOT, Lab
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


def up(lab: Lab, say: Say) -> None:
    """Bring up what is not up; what runs stays as it is. Raise LabError if a part cannot run."""
    began = time.monotonic()
    with locked(lock_of(lab)):
        lab.state.mkdir(parents=True, exist_ok=True)
        access.prepare(lab)
        say("preparing base layers and downloads (first time: a few minutes)")
        with ThreadPoolExecutor() as pool:
            layers_ready = {name: pool.submit(images.build, name) for name in images.LAYERS}
            world = pool.submit(servers.prepare).result()
            layers = {name: ready.result() for name, ready in layers_ready.items()}
        shaders = servers.shaders(world, layers["trixie"])
        network.up(lab)
        record = Record(lab)
        servers.start(lab, world, record)
        say(f"servers answer on {lab.gateway}, after {time.monotonic() - began:.1f} s")
        _boot_all(lab, record, layers, servers.sources(lab, world), shaders, say)
        document.write(lab, servers.describe(lab, world))
    say(f"lab {lab.name} is up after {time.monotonic() - began:.1f} s")


def _boot_all(
    lab: Lab,
    record: Record,
    layers: dict[str, Path],
    sources: dict[str, dict[str, str]],
    shaders: Path | None,
    say: Say,
) -> None:
    """Boot every host that does not run, all at once."""
    missing = [s for s in HOSTS if not _runs(record.hosts.get(s.name))]

    def lay(spec: HostSpec) -> None:
        boot.write_hardware(lab, spec)
        rootfs.create(lab, spec, layers[spec.layer], sources[spec.guest_os], shaders)

    def wait(spec: HostSpec) -> None:
        began = time.monotonic()
        boot.wait(lab, spec, record.hosts[spec.name])
        say(f"{spec.name} takes logins at {spec.address(lab)}, {time.monotonic() - began:.1f} s")

    with ThreadPoolExecutor() as pool:
        list(pool.map(lay, missing))
        for spec in missing:
            boot.halt(lab, spec, None)
            record.hosts[spec.name] = boot.start(lab, spec, layers[spec.layer])
            record.save()
        list(pool.map(wait, missing))


def _runs(process: Process | None) -> bool:
    return process is not None and process.alive


def reset(lab: Lab, name: str, say: Say) -> None:
    """Give a host a fresh install and boot it; its model disk and its keys stay.

    Raises LookupError for an unknown host, LabError if it cannot boot.
    """
    spec = host_named(name)
    began = time.monotonic()
    with locked(lock_of(lab)):
        record = Record(lab)
        document.require(lab)
        boot.halt(lab, spec, record.hosts.pop(name, None))
        record.save()
        root = host_dir(lab, name) / "root"
        old = root.with_suffix(".old")
        shutil.rmtree(old, ignore_errors=True)
        if root.is_dir():
            root.rename(old)
        layers = {layer: images.build(layer) for layer in images.LAYERS}
        world = servers.prepare()
        shaders = servers.shaders(world, layers["trixie"])
        boot.write_hardware(lab, spec)
        rootfs.create(
            lab, spec, layers[spec.layer], servers.sources(lab, world)[spec.guest_os], shaders
        )
        record.hosts[name] = boot.start(lab, spec, layers[spec.layer])
        record.save()
        shutil.rmtree(old, ignore_errors=True)
        boot.wait(lab, spec, record.hosts[name])
    say(f"{name} is a fresh install again after {time.monotonic() - began:.1f} s")


def down(lab: Lab, say: Say) -> None:
    """End what the lab started and remove every trace of it but the shared cache."""
    with locked(lock_of(lab)):
        record = Record(lab)
        stop(record.servers, graceful_s=3.0)
        stop([*record.hosts.values(), *strays(lab)])
        for spec in HOSTS:
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
