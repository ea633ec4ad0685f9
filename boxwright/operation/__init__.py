"""What roles share: the operation decorator, the refusal, the plan of this host, lock and reboot."""

from boxwright.operation.lock import take_lock
from boxwright.operation.options import Endpoints, endpoints_for_host, option
from boxwright.operation.planning import (
    machine_of_host,
    plan_for_host,
    release_assets,
    wanted_for_host,
)
from boxwright.operation.reboot import reboot_into_new_boot
from boxwright.operation.step import RefusalCommand, noop, operation, refuse

__all__ = [
    "Endpoints",
    "RefusalCommand",
    "endpoints_for_host",
    "machine_of_host",
    "noop",
    "operation",
    "option",
    "plan_for_host",
    "reboot_into_new_boot",
    "refuse",
    "release_assets",
    "take_lock",
    "wanted_for_host",
]
