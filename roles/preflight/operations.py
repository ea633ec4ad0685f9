"""The checks: each refuses, or says in a sentence that all is well; none changes anything."""

from __future__ import annotations

import time

from pyinfra import logger
from pyinfra.api.arguments import pop_global_arguments
from pyinfra.context import host, state

from boxwright.facts import Access, AccessState, Releases, Service
from boxwright.operation import (
    Commands,
    machine_of_host,
    manager_of_host,
    no_room,
    noop,
    operation,
    option,
    plan_for_host,
    refuse,
    release_assets,
    room_for_build,
    wanted_for_host,
)
from boxwright.plan.results import Plan, Refusal
from roles.preflight.reach import EffectiveUser

UNIT = "llama-server.service"
DRIVER_MIB = 3072  # packages, headers, compiler and the module's build
BOOT_MIB = 200  # a second initramfs while one is made anew, with the module's firmware
PACKAGES_MIB = 512  # what base installs, and the package lists
UNPACKED_PER_PACKED = 4  # upstream's CUDA asset: 0.2 GB packed, 0.7 GB unpacked
MIB = 1024 * 1024

_said: set[tuple[str, str]] = set()


@operation
def may_be_changed() -> Commands:
    """Root or sudo, systemd as init, and a clock that is near this machine's."""
    asked_s = time.time()
    access = host.get_fact(Access, _sudo=False)
    refusal = _no_root(access) or _no_systemd(access) or _wrong_clock(access, asked_s)
    if refusal is not None:
        yield from refuse(refusal)
        return
    noop("this host may be changed")


def _no_root(access: AccessState) -> Refusal | None:
    if access.uid == 0:
        return None
    arguments, _ = pop_global_arguments(state, host, {})
    found = f"the login is {access.user} (uid {access.uid})"
    if not arguments.get("_sudo"):
        able = "sudo works without a password" if access.sudo else "sudo wants a password"
        return Refusal(
            f"{found} and _sudo is not set for this host, needed is root ({able})",
            "set _sudo to True beside this host in the inventory, with _sudo_password if it is"
            " asked for, or log in as root",
        )
    uid = host.get_fact(EffectiveUser, _sudo=True, _ignore_errors=True)
    if uid == 0:
        return None
    return Refusal(
        f"{found} and sudo does not make it root, needed is root",
        "install sudo and let this user run everything with it, set _sudo_password if it is asked"
        " for, or log in as root",
    )


def _no_systemd(access: AccessState) -> Refusal | None:
    if access.init == "systemd":
        return None
    return Refusal(
        f"process 1 is {access.init or 'unknown'}, needed is systemd, which runs the server",
        "install an operating system that boots with systemd (Debian, Ubuntu, Rocky, Fedora)",
    )


def _wrong_clock(access: AccessState, asked_s: float) -> Refusal | None:
    limit_s = float(option("base_clock_skew_limit_s", 120))
    earliest, latest = asked_s - limit_s, time.time() + limit_s
    if earliest <= access.epoch_s <= latest:
        return None
    skew_s = access.epoch_s - time.time()
    return Refusal(
        f"the clock is {abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} this machine's,"
        f" needed is at most {limit_s:.0f} s",
        "set it (timedatectl set-ntp true) on the one that is wrong, then run again",
    )


@operation
def can_be_served() -> Commands:
    """The whole plan, from this moment's facts; what it warns of is said once per run."""
    plan = plan_for_host()
    for warning in plan.warnings:
        if (host.name, warning) not in _said:
            _said.add((host.name, warning))
            host.log(f"note: {warning}", logger.warning)
    if plan.refusal is not None:
        yield from refuse(plan.refusal)
        return
    noop("a plan fits this host")


@operation
def has_room() -> Commands:
    """Free disk for what is missing of packages, driver and release; the plan asks for models."""
    plan = plan_for_host()
    if plan.refusal is not None:
        yield from refuse(plan.refusal)
        return
    refusal = _room_for_packages(plan) or _room_for_release(plan)
    if refusal is not None:
        yield from refuse(refusal)
        return
    noop("there is room")


def _room_for_packages(plan: Plan) -> Refusal | None:
    machine = machine_of_host()
    driver_missing = plan.driver is not None and machine.nvidia.installed is None
    if not driver_missing and machine.llama.build is not None:
        return None  # it was set up before: what is left to install is small
    manager = manager_of_host()
    need_mib = DRIVER_MIB if driver_missing else PACKAGES_MIB
    what = "the driver" if driver_missing else "the packages"
    for path in ("/usr", "/var"):
        refusal = no_room(machine, path, need_mib, what, f"free space there ({manager.tool} clean)")
        if refusal is not None:
            return refusal
    if not driver_missing:
        return None
    unneeded = "remove old kernels"
    return no_room(
        machine, "/boot", BOOT_MIB, "the driver's initramfs", f"{unneeded} ({manager.tidy})"
    )


def missing_release(plan: Plan) -> bool:
    """Whether the planned release is not on the host yet."""
    directory = wanted_for_host().runtime_directory
    installed = {stamp.release for stamp in host.get_fact(Releases, directory=directory).installed}
    return plan.runtime is not None and plan.runtime.release not in installed


def _room_for_release(plan: Plan) -> Refusal | None:
    if plan.runtime is None or not missing_release(plan):
        return None
    if plan.runtime.source is not None:
        return room_for_build(plan.runtime, wanted_for_host().runtime_directory)
    assets = release_assets(plan.runtime)
    if isinstance(assets, Refusal):
        return assets
    return no_room(
        machine_of_host(),
        wanted_for_host().runtime_directory,
        (1 + UNPACKED_PER_PACKED) * sum(asset.size_bytes for asset in assets) // MIB,
        f"release {plan.runtime.release}",
        "free space there, or name another runtime_directory",
    )


@operation
def port_is_free() -> Commands:
    """The server's port is free, or our own service has it."""
    port = wanted_for_host().server_port
    service = host.get_fact(Service, unit=UNIT, port=port)
    owner = service.port_owner
    # pid 0 is an owner we may not see; a service that does not run has main pid 0
    if owner is not None and (owner.pid != service.main_pid or owner.pid == 0):
        pid, command = owner
        yield from refuse(
            Refusal(
                f"port {port} is held by {command} (pid {pid}), needed is a free port",
                "end that program, or set server_port to another port",
            )
        )
        return
    noop(f"port {port} is ours to use")
