"""A host's plan with what was measured there in place of the predicted speed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.context import ctx_host

from boxwright import facts, plan
from boxwright.operation import plan_for_host, planning
from boxwright.operation.recent import forget
from boxwright.plan import Plan, hardware_digest
from tests.unit.plans import gpu, machine
from tests.unit.role_host import RoleHost, box


def digest_of(made: Plan) -> str:
    """Arguments and environment, put together without the product's own function."""
    assert made.server is not None
    environment = [
        f"{name}={made.server.environment[name]}" for name in sorted(made.server.environment)
    ]
    return hashlib.sha256("\0".join([*made.server.args, "", *environment]).encode()).hexdigest()


def planned(host: RoleHost, with_records: bool) -> Plan:
    with ctx_host.use(host):
        return plan_for_host(with_records)


def test_a_measured_decode_replaces_the_prediction_of_just_this_configuration() -> None:
    host = box(machine("ryzen"))
    predicted = planned(host, with_records=False)
    assert predicted.refusal is None and predicted.speed is not None
    assert predicted.server is not None and predicted.runtime is not None
    digest = digest_of(predicted)
    record = facts.DecodeRecord(
        release=predicted.runtime.release, model="tiny", quant="Q8_0", config_digest="c",
        boot_id="b", decode_tok_s=4.0, prefill_tok_s=1.0, predicted_n=32, at_epoch_s=1,
        args_digest=digest, hardware=hardware_digest(machine("ryzen")),
    )  # fmt: skip
    newest = replace(record, decode_tok_s=5.0)
    others = [
        replace(record, args_digest="", decode_tok_s=9.0),
        replace(record, release="b1-cpu-x86_64", decode_tok_s=9.0),
        replace(record, quant="Q4_K_M", decode_tok_s=9.0),
        replace(record, hardware="of another card", decode_tok_s=9.0),
    ]
    host.facts[facts.BenchRecords] = ()
    host.facts[facts.DecodeRecords] = (record, newest, *others)
    measured = planned(host, with_records=True)
    assert measured.speed is not None
    assert (measured.speed.decode_tok_s[1], measured.speed.bound_by) == (5.0, "measured")
    assert replace(measured, speed=predicted.speed) == predicted

    host.facts[facts.DecodeRecords] = tuple(others)
    assert planned(host, with_records=True) == predicted


def test_a_plan_is_made_anew_where_facts_or_wishes_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rested_on: list[tuple[object, ...]] = []

    def counted(*given: Any) -> Plan:
        rested_on.append(given)
        return plan.make(*given)

    monkeypatch.setattr(planning, "plan", SimpleNamespace(**{**vars(plan), "make": counted}))
    monkeypatch.setattr(planning, "_last", {})
    host = box(machine("ryzen"))
    first = planned(host, with_records=False)
    assert planned(host, with_records=False) == first and len(rested_on) == 1

    host.data.values["server_context"] = 2048
    other = planned(host, with_records=False)
    assert other.server is not None and "2048" in other.server.args and len(rested_on) == 2

    host.machine = machine("plain")
    forget(host.name)
    assert planned(host, with_records=False) != other and len(rested_on) == 3


def bench(predicted: Plan, *points: facts.BenchPoint) -> facts.BenchRecord:
    assert predicted.server is not None and predicted.runtime is not None
    digest = digest_of(predicted)
    return facts.BenchRecord(
        release=predicted.runtime.release, model="tiny", quant="Q8_0", args_digest=digest,
        hardware=hardware_digest(machine("ryzen")), driver=None, boot_id="b",
        at_epoch_s=1, points=points,
    )  # fmt: skip


def test_what_bench_measured_counts_before_a_deploys_one_completion() -> None:
    host = box(machine("ryzen"))
    predicted = planned(host, with_records=False)
    short = facts.BenchPoint(64, (50.0, 60.0, 55.0), (9.0, 9.4, 9.1))
    long = facts.BenchPoint(4096, (200.0, 230.0, 210.0), (8.0, 8.1, 8.2))
    older = bench(predicted, facts.BenchPoint(64, (1.0,), (1.0,)))
    record = bench(predicted, short, long)
    slow = (facts.BenchPoint(64, (1,), (1,)),)
    others = (
        replace(record, args_digest="another", points=slow),
        replace(record, hardware="another", points=slow),
        replace(record, points=(long,)),  # decode after a long prompt is no empty context's
    )
    host.facts[facts.BenchRecords] = (older, record, *others)
    host.facts[facts.DecodeRecords] = ()
    measured = planned(host, with_records=True)
    assert measured.speed is not None
    assert measured.speed.decode_tok_s == (9.0, 9.1, 9.4)
    assert measured.speed.prefill_tok_s == (200.0, 210.0, 230.0)
    assert measured.speed.bound_by == "measured"

    # a prompt of a few tokens tells nothing of prefill
    host.facts[facts.BenchRecords] = (bench(predicted, short),)
    measured = planned(host, with_records=True)
    assert measured.speed is not None and predicted.speed is not None
    assert measured.speed.decode_tok_s == (9.0, 9.1, 9.4)
    assert measured.speed.prefill_tok_s == predicted.speed.prefill_tok_s


def test_offers_are_only_looked_for_where_a_plan_is_shown() -> None:
    with ctx_host.use(box(machine("ryzen"))):
        assert plan_for_host().offers == ()
        offers = plan_for_host(with_offers=True).offers
    assert [offer.split(" = ")[0] for offer in offers] == ["server_context"]


def test_another_card_memory_or_processor_is_other_hardware_and_a_link_that_sleeps_is_not() -> None:
    digest = hardware_digest(machine("ryzen"))
    (card,) = machine("ryzen").gpus
    asleep = machine("ryzen", gpus=[gpu(card.pci, card.id, link_speed_gts=2.5)])
    assert hardware_digest(asleep) == digest
    others = [
        machine("ryzen", gpus=[gpu(card.pci, "10de:2684")]),
        machine("ryzen", memory={"dimms": []}),
        machine("ryzen", cpu={"model": "AMD Ryzen 9 7950X 16-Core Processor"}),
    ]
    assert len({digest, *map(hardware_digest, others)}) == 4
