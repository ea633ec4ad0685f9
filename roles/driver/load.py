"""The installed driver loaded: in place of the old one where that lets go, else by a reboot."""

from __future__ import annotations

from pyinfra.api import QuoteString
from pyinfra.context import host

from boxwright.operation import (
    Ask,
    Commands,
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
    may_reboot = bool(option("driver_reboot", DEFAULTS["driver_reboot"]))
    why = ""
    if option("driver_reload", DEFAULTS["driver_reload"]):
        ask = Ask("sh -c", QuoteString(RELOAD), "reload", "reboot" if may_reboot else "stay")
        yield ask
        why = " ".join(ask.said[-1:]) if not ask.succeeded else ""
        driver = yield from planned_driver()
        if driver is None or (not driver.reboot and _bound()):
            return
        if not ask.succeeded and REFUSED in ask.lines:
            yield from refuse(_not_taken(why))
            return
    dark = dark_after_boot()
    if dark is not None or not may_reboot:
        yield from refuse(dark or _not_allowed(why))
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


def _not_allowed(why: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    reloaded = f", could not be loaded in its place ({why})" if why else ""
    return Refusal(
        f"the installed driver ({nvidia.installed}) is not the loaded one"
        f" ({nvidia.loaded or 'none'}){reloaded} and driver_reboot is False",
        "reboot this host, then run again, or set driver_reboot to True",
    )


def _not_loaded(branch: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    return Refusal(
        f"after a reboot the loaded driver is {nvidia.loaded or 'none'}, needed is branch {branch}"
        f" ({nvidia.installed or 'no module'} on the disk; {kernel_says()})",
        "look at `journalctl -k -b`, and at Secure Boot and other kernels in the boot menu, then"
        " run again",
    )
