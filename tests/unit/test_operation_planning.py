"""A host's plan with what was measured there in place of the predicted speed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pyinfra.context import ctx_host

from boxwright import facts
from boxwright.operation import plan_for_host
from boxwright.plan import Plan
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box


def planned(host: RoleHost, with_records: bool) -> Plan:
    with ctx_host.use(host):
        return plan_for_host(with_records)


def test_a_measured_decode_replaces_the_prediction_of_just_this_configuration() -> None:
    host = box(machine("ryzen"))
    predicted = planned(host, with_records=False)
    assert predicted.refusal is None and predicted.speed is not None
    assert predicted.server is not None and predicted.runtime is not None
    digest = hashlib.sha256("\0".join(predicted.server.args).encode()).hexdigest()
    record = facts.DecodeRecord(
        release=predicted.runtime.release, model="tiny", quant="Q8_0", config_digest="c",
        boot_id="b", decode_tok_s=4.0, prefill_tok_s=1.0, predicted_n=32, at_epoch_s=1,
        args_digest=digest,
    )  # fmt: skip
    newest = replace(record, decode_tok_s=5.0)
    others = [
        replace(record, args_digest="", decode_tok_s=9.0),
        replace(record, release="b1-cpu-x86_64", decode_tok_s=9.0),
        replace(record, quant="Q4_K_M", decode_tok_s=9.0),
    ]
    host.facts[facts.BenchRecords] = ()
    host.facts[facts.DecodeRecords] = (record, newest, *others)
    measured = planned(host, with_records=True)
    assert measured.speed is not None
    assert (measured.speed.decode_tok_s[1], measured.speed.bound_by) == (5.0, "measured")
    assert replace(measured, speed=predicted.speed) == predicted

    host.facts[facts.DecodeRecords] = tuple(others)
    assert planned(host, with_records=True) == predicted


def bench(predicted: Plan, *points: facts.BenchPoint) -> facts.BenchRecord:
    assert predicted.server is not None and predicted.runtime is not None
    digest = hashlib.sha256("\0".join(predicted.server.args).encode()).hexdigest()
    return facts.BenchRecord(
        release=predicted.runtime.release, model="tiny", quant="Q8_0", args_digest=digest,
        driver=None, boot_id="b", at_epoch_s=1, points=points,
    )  # fmt: skip


def test_what_bench_measured_counts_before_a_deploys_one_completion() -> None:
    host = box(machine("ryzen"))
    predicted = planned(host, with_records=False)
    short = facts.BenchPoint(64, (50.0, 60.0, 55.0), (9.0, 9.4, 9.1))
    long = facts.BenchPoint(4096, (200.0, 230.0, 210.0), (8.0, 8.1, 8.2))
    older = bench(predicted, facts.BenchPoint(64, (1.0,), (1.0,)))
    record = bench(predicted, short, long)
    of_others = replace(record, args_digest="another", points=(facts.BenchPoint(64, (1,), (1,)),))
    host.facts[facts.BenchRecords] = (older, record, of_others)
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
