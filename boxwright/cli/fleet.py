"""Asking every host of an inventory a question, in this process and in parallel; read-only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from boxwright.cli.outcome import MISUSED, Sentence

T = TypeVar("T")

UNUSABLE = "did not answer as it should; the lines above say what came instead"


@dataclass(frozen=True)
class Answers(Generic[T]):
    """What each host answered, by the name it has in the inventory, and why others did not."""

    by_host: dict[str, T]
    failed: dict[str, str]


def ask_hosts(
    inventory: str,
    question: Callable[[], T],
    directory: Path,
    overrides: dict[str, Any] | None = None,
) -> Answers[T]:
    """Call `question` once per host, in that host's pyinfra context.

    `overrides` are options that win over the inventory's data. Raises Sentence (exit 2) if the
    inventory holds no host. A host that cannot be reached or asked is an entry in `failed`.
    """
    # pyinfra_cli patches the standard library for gevent when it is imported, which must not
    # happen to a process that only renders a plan: so all of it is imported here.
    import gevent
    from pyinfra.api.connect import connect_all, disconnect_all
    from pyinfra.api.exceptions import PyinfraError

    state = _state_of(inventory, directory, overrides)
    answers: Answers[T] = Answers({}, {})
    with suppress(PyinfraError):  # raised when not one host is left; each is named below
        connect_all(state)
    jobs = [
        gevent.spawn(_ask, state, host, question, answers)
        for host in state.inventory.get_active_hosts()
    ]
    gevent.joinall(jobs)
    disconnect_all(state)
    found, failed = answers.by_host, answers.failed
    for host in state.inventory:
        if host.name not in found:
            failed.setdefault(host.name, _unreachable(host))
    in_order = {host.name: found[host.name] for host in state.inventory if host.name in found}
    return Answers(in_order, failed)


def _state_of(inventory: str, directory: Path, overrides: dict[str, Any] | None) -> Any:
    """pyinfra's state of this inventory, which it wants to find in its contexts too."""
    from pyinfra.api import Config, State
    from pyinfra.context import ctx_config, ctx_inventory, ctx_state
    from pyinfra_cli.inventory import make_inventory

    state = State()
    state.cwd = str(directory)
    ctx_state.set(state)
    config = Config()
    ctx_config.set(config)
    hosts = make_inventory(inventory, cwd=state.cwd, override_data=overrides)
    if not len(hosts):
        raise Sentence(f"the inventory {inventory} names no host; add one.", MISUSED)
    ctx_inventory.set(hosts)
    state.init(hosts, config)
    return state


def _ask(state: Any, host: Any, question: Callable[[], T], answers: Answers[T]) -> None:
    """One host's answer, or its fault, which must not hide the others' answers."""
    from pyinfra.context import ctx_host, ctx_state

    from boxwright.operation.recent import forget

    # a run in a process of its own may have changed the host since it was last asked
    forget(host.name)
    try:
        with ctx_state.use(state), ctx_host.use(host):
            answer = question()
    except Exception as error:
        answers.failed[host.name] = UNUSABLE if host in state.failed_hosts else _reason(error)
        return
    # pyinfra gives a fact's default for an answer that it could not use
    if host in state.failed_hosts:
        answers.failed[host.name] = UNUSABLE
    else:
        answers.by_host[host.name] = answer


def _unreachable(host: Any) -> str:
    address = host.data.get("ssh_hostname") or host.name
    return (
        f"could not be reached or asked at {address}; the line above says why."
        " Check the address, the user, the key and the known host key in the inventory's ssh_* data"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, Sentence):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
