"""A host for operation bodies: it answers facts, keeps the files it is given, and logs commands.

It takes the place of pyinfra's host only. A body is driven as pyinfra drives it, command after
command, so that a fact asked for after a command sees what that command did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from pyinfra.api import FunctionCommand, StringCommand
from pyinfra.api.command import FileUploadCommand
from pyinfra.context import ctx_host, ctx_state

from boxwright.machine import Machine
from boxwright.operation import Ask, Collect, Package, Upload
from boxwright.operation.recent import forget
from tests.unit.host_facts import usual_answer

ROOT = Path(__file__).resolve().parents[2]
MODEL = {
    "tiny": {
        "repository": "test/tiny",
        "revision": "main",
        "default_quant": "Q8_0",
        "quants": {"Q8_0": {"files": [{"name": "tiny.gguf"}]}},
    }
}
REFUSED = "boxwright refuses: "
FRESH = (
    "/etc/apt/apt.conf.d", "/etc/apt/preferences.d", "/etc/apt/sources.list.d", "/etc/modprobe.d",
    "/etc/security/limits.d", "/etc/sysctl.d", "/etc/systemd/system",
)  # fmt: skip


class Data:
    """Inventory data as a body reads it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get(self, name: str, default: Any = None) -> Any:
        return self.values.get(name, default)

    def dict(self) -> dict[str, Any]:
        return dict(self.values)


T = TypeVar("T")
Answer = tuple[str, ...] | Callable[["RoleHost"], tuple[str, ...]]


@dataclass
class RoleHost:
    """`facts` maps a fact's class to its answer, or to a function of its arguments.

    `effects` maps a part of a command to what it does to this host; `fails_next` tells which
    commands fail; `answers` maps a part of a command that is asked to the lines it says,
    on both outputs. `others` are the hosts that take part beside it, `carried` is what files
    brought to it, or to be fetched from it, hold.
    `sent` is every command that was sent, `files` what was written.
    """

    machine: Machine | None = None
    data: Any = field(default_factory=lambda: Data({}))
    facts: dict[type, Any] = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    directories: set[str] = field(default_factory=lambda: set(FRESH))
    effects: dict[str, Callable[[RoleHost], None]] = field(default_factory=dict)
    fails_next: Callable[[str], bool] = lambda text: False
    answers: dict[str, Answer] = field(default_factory=dict)
    carried: dict[str, bytes] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    sent: list[str] = field(default_factory=list)
    noops: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)
    name: str = "box"
    connector: Any = None
    print_prefix: str = "[box] "
    current_op_global_arguments: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        forget(self.name)  # a host of this name in the test before was another one

    def get_fact(self, kind: type, *, path: str = "", **arguments: Any) -> Any:
        given = {key: value for key, value in arguments.items() if not key.startswith("_")}
        if path:
            given["path"] = path
        if kind in self.facts:
            answer = self.facts[kind]
            return answer(**given) if callable(answer) else answer
        return usual_answer(self, kind, path, given)

    def noop(self, why: str) -> None:
        self.noops.append(why)

    def log(self, text: str, log_func: Any = None) -> None:
        self.logged.append(text)

    def get_temp_filename(self, *_: Any, **__: Any) -> str:
        return "/tmp/pyinfra-upload"

    def install(self, *names: str, version: str, held: bool = False) -> None:
        """Have packages, whole and of one version."""
        for name in names:
            self.packages[name] = Package(name, version, held, "installed")

    def run(self, operation: Any) -> list[str]:
        """Drive one operation to its end or its first failing command; the commands it sent."""
        before = len(self.sent)
        forget(self.name)
        active = [SimpleNamespace(name=name) for name in (self.name, *self.others)]
        state = SimpleNamespace(
            cwd=str(ROOT), config=SimpleNamespace(DIFF=False), inventory=None, active_hosts=active
        )
        with ctx_state.use(state), ctx_host.use(self):
            for command in operation._inner():
                if not self._execute(command):
                    break
        return self.sent[before:]

    def run_part(self, part: Callable[[], Iterable[Any]]) -> list[str]:
        """Drive a part of bodies, which has no operation of its own; the commands it sent."""
        return self.run(SimpleNamespace(_inner=part))

    def ask(self, question: Callable[[], T]) -> T:
        """What a body on this host is told that asks."""
        told: list[T] = []

        def body() -> Iterable[Any]:
            told.append(question())
            return ()

        self.run_part(body)
        return told[0]

    def _execute(self, command: Any) -> bool:
        if isinstance(command, FunctionCommand):
            return True  # the lock, and waiting for a boot: both have tests of their own
        if isinstance(command, Upload | Collect):
            return self._carry(command)
        if isinstance(command, FileUploadCommand):
            assert not isinstance(command.src, str)
            self.files[command.dest] = command.src.read()
            self.sent.append(f"upload {command.dest}")
            return True
        assert isinstance(command, StringCommand)
        text = command.get_raw_value()
        self.sent.append(text)
        given = command.connector_arguments.get("_stdin")
        if isinstance(given, str):
            self.stdin.append(given)
        for part, effect in self.effects.items():
            if part in text:
                effect(self)
        failed = self.fails_next(text) or f"echo '{REFUSED}" in text[:30]
        if isinstance(command, Ask):
            command.succeeded = not failed
            said = next((said for part, said in self.answers.items() if part in text), ())
            command.lines = said(self) if callable(said) else said
            command.said = command.lines
            return True
        return not failed

    def _carry(self, command: Upload | Collect) -> bool:
        """Files between this host and the machine of the test, which is a real one."""
        source, target = str(command.src), str(command.dest)
        upload = isinstance(command, Upload)
        self.sent.append(f"upload {target}" if upload else f"collect {source}")
        command.succeeded = not self.fails_next(self.sent[-1])
        command.said = "" if command.succeeded else "the connection broke"
        if command.succeeded and upload:
            self.carried[target] = Path(source).read_bytes()
        elif command.succeeded:
            Path(target).write_bytes(self.carried[source])
        return True

    @property
    def refusal(self) -> str | None:
        """The sentence of the last command, if that was a refusal by a body."""
        last = self.sent[-1] if self.sent else ""
        start, end = f"echo '{REFUSED}", "' >&2; exit 1"
        if not (last.startswith(start) and last.endswith(end)):
            return None
        return last.removeprefix(start).removesuffix(end).replace("'\"'\"'", "'")


def box(machine: Machine, **data: Any) -> RoleHost:
    """A host with this hardware that wants to serve a small model which is on its disk."""
    return RoleHost(machine, Data({"model": "tiny", "models_catalog": MODEL, **data}))
