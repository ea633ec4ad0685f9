"""The installed driver loaded: in place of the old one where that lets go, else by a reboot."""

from __future__ import annotations

from pyinfra.api import QuoteString
from pyinfra.context import host

from boxwright.operation import (
    Ask,
    Commands,
    is_this_machine,
    machine_of_host,
    noop,
    operation,
    option,
    reboot_into_new_boot,
    refuse,
)
from boxwright.plan.results import Refusal
from roles.driver.boot import dark_after_boot
from roles.driver.defaults import DEFAULTS
from roles.driver.planned import planned_driver
from roles.driver.proofs import expected_cards
from roles.driver.reload import REFUSED, RELOAD
from roles.driver.state import kernel_says


@operation
def load_driver() -> Commands:
    """Load the installed driver if it is not the loaded one; ask again afterwards."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if not driver.reboot:
        noop(f"driver {driver.branch} is loaded")
        return
    # services that are stopped for it stay so only where a reboot is sure to start them
    dark, barred = dark_after_boot(), _no_reboot()
    why = ""
    if option("driver_reload", DEFAULTS["driver_reload"]):
        then = "stay" if dark or barred else "reboot"
        ask = Ask("sh -c", QuoteString(RELOAD), "reload", then)
        yield ask
        why = " ".join(ask.said[-1:]) if not ask.succeeded else ""
        driver = yield from planned_driver()
        if driver is None or (not driver.reboot and _bound()):
            return
        if not ask.succeeded and REFUSED in ask.lines:
            yield from refuse(_not_taken(why))
            return
    if dark is None and barred is not None:
        dark = _not_allowed(*barred, why)
    if dark is not None:
        yield from refuse(dark)
        return
    host.log(f"rebooting to load the driver{f' ({why})' if why else ''}")
    timeout_s = option("driver_reboot_timeout_s", DEFAULTS["driver_reboot_timeout_s"])
    yield from reboot_into_new_boot(float(timeout_s))
    driver = yield from planned_driver()
    if driver is not None and driver.reboot:
        yield from refuse(_not_loaded(driver.branch))


def _bound() -> bool:
    ours = expected_cards()
    return all(card.driver == "nvidia" for card in machine_of_host().gpus if card.pci in ours)


def _not_taken(why: str) -> Refusal:
    return Refusal(
        f"the kernel does not take the driver's module {machine_of_host().nvidia.installed}, and"
        f" nothing was in its way, so a reboot would not help ({why}; {kernel_says()})",
        "enrol the key that signed it, or switch Secure Boot off, where the key was rejected; else"
        " look at `journalctl -k -b` and at the cards' seats, then run again",
    )


def _no_reboot() -> tuple[str, str] | None:
    """Why this host may not be rebooted by us, and what to do instead; None if it may."""
    if not option("driver_reboot", DEFAULTS["driver_reboot"]):
        return "driver_reboot is False", ", or set driver_reboot to True"
    if is_this_machine():
        return "this run would not survive a reboot of its own machine", ": it goes on from there"
    return None


def _not_allowed(barred: str, instead: str, why: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    reloaded = f", could not be loaded in its place ({why})" if why else ""
    return Refusal(
        f"the installed driver ({nvidia.installed}) is not the loaded one"
        f" ({nvidia.loaded or 'none'}){reloaded} and {barred}",
        f"reboot this host, then run again{instead}",
    )


def _not_loaded(branch: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    return Refusal(
        f"after a reboot the loaded driver is {nvidia.loaded or 'none'}, needed is branch {branch}"
        f" ({nvidia.installed or 'no module'} on the disk; {kernel_says()})",
        "look at `journalctl -k -b`, and at Secure Boot and other kernels in the boot menu, then"
        " run again",
    )
