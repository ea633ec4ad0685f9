"""What this host's service is to be, from its plan and options, worked out anew in each body."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host
from pyinfra.facts.files import File, Sha256File
from pyinfra.facts.server import Command

from boxwright.facts import Service, ServiceState
from boxwright.operation import (
    NO_SERVER,
    ApiKey,
    ask_host,
    model_for_host,
    option,
    plan_for_host,
    read_key,
    refuse,
    wanted_for_host,
)
from boxwright.plan.results import MemoryPlan, ModelPlan, Plan, Refusal, ServerPlan
from roles.server.decode import Identity
from roles.server.health import BASE_S, pre_start_s, stop_s, telling_line
from roles.server.key import KEY_MODE, KEY_OWNER, KEY_PATH
from roles.server.unit import UNIT, Settings, config_digest, rendered_unit, template_text

JOURNAL_LINES = 300


@dataclass(frozen=True)
class Wish:
    """The service to have: its plan, its unit's text and digest, its key."""

    plan: Plan
    model: ModelPlan
    server: ServerPlan
    settings: Settings
    digest: str
    unit_text: str
    key: ApiKey | None = field(repr=False)

    @property
    def base_url(self) -> str:
        """Where it is asked from its own host."""
        return f"http://{ask_host(self.server.host)}:{self.server.port}"

    def service(self) -> ServiceState:
        """The service as it is at this moment."""
        return host.get_fact(Service, unit=UNIT, port=self.server.port)

    def key_is_there(self) -> bool:
        """Whether the host's key file is as wanted: its text, owner and mode, or no file at all."""
        known: Any = host.get_fact(File, path=KEY_PATH)
        if self.key is None or not known:
            return self.key is None and not known
        owned = f"{known['user']}:{known['group']}" == KEY_OWNER
        if not owned or int(known["mode"]) != int(KEY_MODE):
            return False
        return bool(host.get_fact(Sha256File, path=KEY_PATH) == self.key.sha256)

    def identity(self, boot_id: str) -> Identity:
        """What a measurement of this service in this boot belongs to."""
        release = self.settings.release
        return Identity(release, self.model.name, self.model.quant, self.digest, boot_id)


def planned_wish() -> Generator[PyinfraCommand, None, Wish | None]:
    """The service this host is to have; None, with the host refused, where it can have none."""
    wish = wish_for_host()
    if isinstance(wish, Refusal):
        yield from refuse(wish)
        return None
    return wish


def wish_for_host() -> Wish | Refusal:
    """The same for one who may not refuse: the service, or why the host can have none."""
    plan = plan_for_host()
    if plan.refusal is not None:
        return plan.refusal
    if plan.server is None or plan.model is None or plan.runtime is None or plan.memory is None:
        return NO_SERVER
    resolved = model_for_host()
    if isinstance(resolved, Refusal):
        return resolved
    key = read_key(option("server_api_key_file"))
    if isinstance(key, Refusal):
        return key
    settings = Settings(
        alias=plan.server.alias,
        release=plan.runtime.release,
        runtime_directory=wanted_for_host().runtime_directory,
        model_directory=plan.model.directory,
        args=plan.server.args,
        environment=plan.server.environment,
        dropins=dict(option("server_dropins", {})),
        model_sums=tuple(file.sha256 or "" for file in resolved.files),
        gpus=len(plan.memory.devices) if plan.runtime.cuda else 0,
        numa_policy=plan.server.numa_policy,
        drop_caches=plan.server.drop_caches,
        start_timeout_s=_start_timeout_s(plan.server, plan.memory),
        stop_timeout_s=stop_s(plan.model.size_mib or 0),
    )
    if key is not None:
        settings = replace(settings, secret=key.fingerprint(salt=f"boxwright {host.name}"))
    template = template_text()
    digest = config_digest(settings, template)
    text = rendered_unit(settings, template, digest)
    return Wish(plan, plan.model, plan.server, settings, digest, text, key)


def _start_timeout_s(server: ServerPlan, memory: MemoryPlan) -> int:
    if not server.drop_caches:
        return BASE_S
    return pre_start_s(memory.host.total_mib, float(option("server_disk_read_mib_s", 100)))


def healthy(service: ServiceState) -> bool:
    """Whether the service itself answers 200 on /health, at whatever address it listens."""
    owner = service.port_owner
    ours = owner is None or owner.pid in (0, service.main_pid)
    return ours and service.active_state == "active" and service.health_status == 200


def journal_of_this_start() -> tuple[str, ...]:
    """What the service has logged since it was last started."""
    show = f"systemctl show --value --property=InvocationID {UNIT}"
    command = (
        f"journalctl --no-pager --output=cat --lines={JOURNAL_LINES}"
        f' "_SYSTEMD_INVOCATION_ID=$({show})" 2>/dev/null || true'
    )
    return tuple(str(host.get_fact(Command, command=command)).splitlines())


def did_not_start(how: str) -> Refusal:
    """The refusal for a service that is not coming up, with the line of its log that says why."""
    return Refusal(
        f"{UNIT} did not start, {how}; its log says: {telling_line(journal_of_this_start())}",
        f"mend what the log names (journalctl -u {UNIT}), then run again",
    )
