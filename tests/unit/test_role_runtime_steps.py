"""Bodies of the runtime role: the link to the release, leftovers, the cards that are seen."""

from __future__ import annotations

import pytest
from pyinfra.facts.server import Command

from boxwright import facts
from roles.runtime import operations as runtime
from roles.runtime import proofs as runtime_proofs
from roles.runtime.leftovers import BuildLeftovers
from roles.server.wanted import Wish, wish_for_host
from tests.unit.plans import machine
from tests.unit.role_host import box


def test_a_release_that_is_not_current_becomes_it_in_one_step() -> None:
    host = box(machine("ryzen"))
    (sent,) = host.run(runtime.choose_release)
    wish = host.ask(wish_for_host)
    assert isinstance(wish, Wish), wish
    release = wish.settings.release
    assert sent == (
        f"ln -sfn {release} /opt/llama.cpp/.current.new"
        " && mv -T /opt/llama.cpp/.current.new /opt/llama.cpp/current"
    )
    host.facts[facts.Releases] = facts.ReleasesState(current=release)
    assert host.run(runtime.choose_release) == []


def test_leftovers_go_and_tidy_hosts_are_left_alone() -> None:
    host = box(machine("ryzen"))
    host.facts[BuildLeftovers] = ()
    assert host.run(runtime.tidy_releases) == []
    host.facts[facts.Releases] = facts.ReleasesState(leftovers=("b1-cpu-x64.part",))
    (sent,) = host.run(runtime.tidy_releases)
    assert "/opt/llama.cpp/b1-cpu-x64.part" in sent.split()


@pytest.mark.parametrize("devices", ["", "  CUDA0: RTX 5090 (32607 MiB, 32000 MiB free)\n"])
def test_llama_server_has_to_see_every_card_that_is_used(devices: str) -> None:
    host = box(machine("ryzen"))
    host.facts[Command] = lambda command: f"Available devices:\n{devices}"
    host.run(runtime_proofs.prove_devices)
    assert (host.refusal is None) is bool(devices)
