"""What the article says of memory, on its boxes (reference/article.txt, "Trade-offs", "Flags")."""

from __future__ import annotations

import pytest

from boxwright import catalog, plan
from boxwright.plan.results import MemoryPlan
from boxwright.shapes import ModelShape
from tests.unit.plans import planned, qwen35_122b

GB = 1e9
MIB, GIB = 2**20, 2**30


def estimated(name: str, quant: str) -> ModelShape:
    """A model's shape as the catalog's figures give it."""
    row = catalog.load().models[name]
    shape = plan.estimated_shape(row, row.quants[quant])
    assert shape is not None
    return shape


def with_cpu_moe(box: str, shape: ModelShape, context: int = 32768) -> MemoryPlan:
    """The article's layout on one of its boxes: q8_0 cache, ubatch 512, `--cpu-moe`."""
    made = planned(box, shape, server_placement="cpu-moe", server_context=context)
    assert made.refusal is None and made.memory is not None
    return made.memory


def test_the_5090_fits_the_256k_context_of_qwen_into_12_gb() -> None:
    """ "The RTX 5090 fits Qwen3.5-122B's entire 256K context into just 12GB of VRAM." """
    (card,) = with_cpu_moe("ryzen", qwen35_122b(), context=262144).devices
    assert 0.85 * 12 * GB < card.need_mib * MIB <= 12 * GB


def test_minimax_s_131_gb_are_pinned_in_the_192_gb_of_the_ryzen() -> None:
    """ "MiniMax's 131GB pins cleanly into the 192GB of RAM"; they are GiB (peers.md, F)."""
    host = with_cpu_moe("ryzen", estimated("minimax-m2.7", "UD-Q4_K_M")).host
    assert host.model_mib * MIB == pytest.approx(131 * GIB, rel=0.03)
    assert host.need_mib <= host.total_mib


def test_iq4_xs_leaves_about_20_gb_of_the_xeon_s_128() -> None:
    """ "An IQ4_XS quant's ~108GB pin leaves about ~20GB free on the 128GB box." """
    host = with_cpu_moe("xeon", estimated("minimax-m2.7", "UD-IQ4_XS")).host
    assert host.model_mib * MIB == pytest.approx(108 * GB, rel=0.03)
    assert (host.total_mib - host.need_mib) * MIB == pytest.approx(20 * GB, rel=0.15)


def test_the_big_card_holds_all_of_qwen() -> None:
    """ "It holds all 73GB of quantized weights in VRAM." """
    made = planned("pro6000", estimated("qwen3.5-122b-a10b", "Q4_K_M"))
    assert made.memory is not None and made.refusal is None
    (card,) = made.memory.devices
    assert card.model_mib * MIB == pytest.approx(73 * GB, rel=0.02)
    assert made.memory.host.model_mib < 1024
