"""The state of our service as systemd, the kernel and its own HTTP port tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyinfra.api import FactBase

from boxwright.facts.documents import as_json
from boxwright.facts.shell import script, tagged

CAP_IPC_LOCK = 14  # bit of a capability set, capabilities(7)


class PortOwner(NamedTuple):
    """Who listens on the port; pid 0 and "unknown" where we may not see it."""

    pid: int
    command: str


@dataclass(frozen=True)
class ServiceState:
    """One moment of the service. Process fields are empty while `main_pid` is 0.

    `config_digest` is BOXWRIGHT_CONFIG of the running process; `vm_lck_mib` locked and `vm_pin_mib`
    pinned memory; `mapped_device_mib` host memory mapped from the GPU's driver, `mapped_zero_mib`
    shared anonymous memory (which CUDA also pins). `memlock_limit` is "unlimited" or bytes.
    `health_status` is the HTTP status of /health, None if nothing answered.
    """

    active_state: str = "inactive"
    sub_state: str = "dead"
    result: str = "success"
    main_pid: int = 0
    need_daemon_reload: bool = False
    enabled: bool = False
    loaded: bool = False
    config_digest: str | None = None
    exe: str | None = None
    started_monotonic_s: float | None = None
    vm_lck_mib: float = 0.0
    vm_pin_mib: float = 0.0
    vm_rss_mib: float = 0.0
    mapped_device_mib: float = 0.0
    mapped_zero_mib: float = 0.0
    memlock_limit: str = ""
    cap_ipc_lock: bool = False
    port_owner: PortOwner | None = None
    health_status: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        document: dict[str, Any] = as_json(self)
        return document


class Service(FactBase[ServiceState]):
    """The unit, its main process and the owner of its TCP port, now."""

    @staticmethod
    def default() -> ServiceState:
        """No service."""
        return ServiceState()

    def command(self, unit: str = "llama-server.service", port: int = 8080) -> str:
        """Ask systemd, /proc and, if something listens on the port, its /health."""
        return script("encode.sh", "service.sh", unit=unit, port=int(port))

    def process(self, output: Sequence[str]) -> ServiceState:
        """Read the lines that `service.sh` wrote."""
        said: dict[str, str] = {}
        for tag, fields in tagged(output):
            if tag in ("show", "status") and len(fields) > 1:
                said[fields[0]] = "\t".join(fields[1:])
            else:
                said.update({f"{tag}.{n}": field for n, field in enumerate(fields)})
        return _state(said)


def _state(said: Mapping[str, str]) -> ServiceState:
    started_us = _whole(said.get("ExecMainStartTimestampMonotonic"))
    owner = said.get("port.0")
    status = _whole(said.get("health.0"))
    return ServiceState(
        active_state=said.get("ActiveState") or "inactive",
        sub_state=said.get("SubState") or "dead",
        result=said.get("Result") or "success",
        main_pid=_whole(said.get("MainPID")),
        need_daemon_reload=said.get("NeedDaemonReload") == "yes",
        enabled=said.get("UnitFileState") in ("enabled", "enabled-runtime"),
        loaded=said.get("LoadState") == "loaded",
        config_digest=said.get("config.0") or None,
        exe=said.get("exe.0") or None,
        started_monotonic_s=started_us / 1e6 if started_us else None,
        vm_lck_mib=_whole(said.get("VmLck")) / 1024,
        vm_pin_mib=_whole(said.get("VmPin")) / 1024,
        vm_rss_mib=_whole(said.get("VmRSS")) / 1024,
        mapped_device_mib=float(_whole(said.get("mapped.0"))),
        mapped_zero_mib=float(_whole(said.get("mapped.1"))),
        memlock_limit=said.get("memlock.0", ""),
        cap_ipc_lock=bool(_hexadecimal(said.get("CapEff")) >> CAP_IPC_LOCK & 1),
        port_owner=PortOwner(_whole(owner), said.get("port.1", "unknown")) if owner else None,
        health_status=status or None,
    )


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _hexadecimal(text: str | None) -> int:
    try:
        return int(text or "0", 16)
    except ValueError:
        return 0
