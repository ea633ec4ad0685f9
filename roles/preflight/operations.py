"""The checks: each refuses, or says in a sentence that all is well; none changes anything."""

from __future__ import annotations

import time

from pyinfra import logger
from pyinfra.api.arguments import pop_global_arguments
from pyinfra.context import host, state

from boxwright.facts import Access, AccessState, Models, Releases, Service
from boxwright.operation import (
    MIB,
    Commands,
    Need,
    disk_of,
    machine_of_host,
    manager_of_host,
    no_room,
    noop,
    operation,
    option,
    plan_for_host,
    recently,
    refuse,
    release_needs,
    stamped_as_planned,
    wanted_for_host,
)
from boxwright.plan.results import Plan, Refusal
from roles.preflight.reach import EffectiveUser

UNIT = "llama-server.service"
DRIVER_MIB = 3072  # packages, headers, compiler and the module's build
BOOT_MIB = 200  # a second initramfs while one is made anew, with the module's firmware
PACKAGES_MIB = 512  # what base installs, and the package lists

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
    """Free disk for all that is missing: packages, driver, release and model, where they meet."""
    plan = plan_for_host()
    refusal = plan.refusal or _no_room(plan)
    if refusal is not None:
        yield from refuse(refusal)
        return
    noop("there is room")


def _no_room(plan: Plan) -> Refusal | None:
    release = _release_room(plan)
    unknown = release if isinstance(release, Refusal) else None
    known = () if isinstance(release, Refusal) else release
    needs = (*_package_room(plan), *known, *_model_room(plan))
    return no_room(machine_of_host(), *needs) or unknown


def _package_room(plan: Plan) -> tuple[Need, ...]:
    machine = machine_of_host()
    driver_missing = plan.driver is not None and machine.nvidia.installed is None
    if not driver_missing and machine.llama.build is not None:
        return ()  # it was set up before: what is left to install is small
    tool, tidy = manager_of_host().tool, manager_of_host().tidy
    need_mib = DRIVER_MIB if driver_missing else PACKAGES_MIB
    what = "the driver" if driver_missing else "the packages"
    # on a disk of their own both take as much, on one disk it is the same room
    paths = {disk_of(machine, path): path for path in ("/var", "/usr")}
    needs = [
        Need(what, path, need_mib, f"free space there ({tool} clean)") for path in paths.values()
    ]
    if driver_missing:
        needs.append(
            Need("the driver's initramfs", "/boot", BOOT_MIB, f"remove old kernels ({tidy})")
        )
    return tuple(needs)


def missing_release(plan: Plan) -> bool:
    """Whether the planned release is not on the host yet, judged as the runtime role does."""
    if plan.runtime is None:
        return False
    releases = recently(Releases, directory=wanted_for_host().runtime_directory)
    return not stamped_as_planned(releases, plan.runtime)


def _release_room(plan: Plan) -> tuple[Need, ...] | Refusal:
    if plan.runtime is None or not missing_release(plan):
        return ()
    return release_needs(plan.runtime, wanted_for_host().runtime_directory)


def _model_room(plan: Plan) -> tuple[Need, ...]:
    """The plan asks whether the model alone fits; here it is what else comes to the same disk."""
    model, directory = plan.model, wanted_for_host().models_directory
    if model is None or model.size_mib is None:
        return ()
    there = recently(Models, directory=directory).bytes_of(model.name, model.quant)
    to_come_mib = model.size_mib - there // MIB
    if to_come_mib <= 0:
        return ()
    reserve_mib = int(option("models_disk_reserve_mib", 1024))  # what its own role leaves free
    what, cure = f"model {model.name} {model.quant}", "name another disk with models_directory"
    return (Need(what, directory, to_come_mib + reserve_mib, cure),)


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
