"""Proofs of the runtime: asked of the binary itself, changing nothing."""

from __future__ import annotations

from pyinfra.api import QuoteString, StringCommand
from pyinfra.context import host
from pyinfra.facts.server import Command

from boxwright.facts import Releases
from boxwright.operation import (
    NO_SERVER,
    Commands,
    noop,
    operation,
    plan_for_host,
    refuse,
    stamped_as_planned,
    wanted_for_host,
)
from boxwright.plan.results import Refusal, RuntimePlan
from roles.runtime.binary import build_of, devices_of, flags_in
from roles.runtime.install import SERVICE_USER


@operation
def prove_release() -> Commands:
    """The planned release is current, its binary is of that build, and takes every flag."""
    plan = plan_for_host()
    if plan.refusal is not None or plan.runtime is None or plan.server is None:
        yield from refuse(plan.refusal or NO_SERVER)
        return
    directory, runtime = wanted_for_host().runtime_directory, plan.runtime
    wrong = _wrong_release(directory, runtime, plan.server.args)
    if wrong is not None:
        yield from refuse(wrong)
        return
    noop(f"{runtime.release} is current and takes every flag")


def _wrong_release(directory: str, runtime: RuntimePlan, args: tuple[str, ...]) -> Refusal | None:
    releases = host.get_fact(Releases, directory=directory)
    if not stamped_as_planned(releases, runtime) or releases.current != runtime.release:
        return Refusal(
            f"the current release is {releases.current or 'none'}, needed {runtime.release}",
            "run deploy/all.py",
        )
    said = _output_of(f"{directory}/current/llama-server", "--version", {})
    if build_of(said) != runtime.build:
        return Refusal(
            f"{directory}/current/llama-server says build {build_of(said) or 'none'},"
            f" needed {runtime.build}",
            f"remove {directory}/{runtime.release} and run deploy/all.py",
        )
    known = next(s.flags for s in releases.installed if s.release == runtime.release)
    unknown = [flag for flag in flags_in(args) if flag not in known]
    if unknown:
        return Refusal(
            f"build {runtime.build} does not list {', '.join(unknown)} in its --help",
            "take them out of server_extra_args, or choose another runtime_build",
        )
    return None


@operation
def prove_devices() -> Commands:
    """The service user's llama-server sees as many devices as the plan uses GPUs."""
    plan = plan_for_host()
    if plan.refusal is not None or plan.memory is None or plan.server is None:
        yield from refuse(plan.refusal or NO_SERVER)
        return
    needed = len(plan.memory.devices)
    if not needed:
        noop("no GPU is used")
        return
    binary = f"{wanted_for_host().runtime_directory}/current/llama-server"
    said = _output_of(binary, "--list-devices", plan.server.environment)
    found = devices_of(said)
    if len(found) != needed:
        last = said.strip().splitlines()[-1] if said.strip() else "nothing"
        yield from refuse(
            Refusal(
                f"llama-server lists {len(found)} devices ({', '.join(found) or 'none'}), needed"
                f" {needed}, one per GPU that is used (it said last: {last})",
                "run nvidia-smi as the user llama: all cards have to show, and /dev/nvidia* has to"
                " be open to that user",
            )
        )
        return
    noop(f"llama-server lists {', '.join(found)}")


def _output_of(binary: str, flag: str, environment: dict[str, str]) -> str:
    """What the binary prints when the service user runs it; its exit status is not asked."""
    settings = [QuoteString(f"{name}={value}") for name, value in environment.items()]
    command = StringCommand(
        f"cd / && {{ runuser -u {SERVICE_USER} -- env", *settings, QuoteString(binary), flag,
        "2>&1 || true; }",
    )  # fmt: skip
    return str(host.get_fact(Command, command=command))
