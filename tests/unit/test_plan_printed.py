"""All memory of a plan against figures of `llama-fit-params` of b11669, recorded on sparse files.

tests/integration/test_memory_truth.py asks the tool itself; here is a sample that needs no tool.
"""

from __future__ import annotations

import pytest

from tests.integration.memory_cases import Case
from tests.shapes.read import shape_of

PRINTED = [
    (
        Case("qwen3.5-122b-a10b", 2, 131072, "q8_0", 2048, "half"),
        [(3795, 894, 920), (32876, 886, 1988), (31876, 0, 946)],
    ),
    (
        Case("gpt-oss-20b", 1, 32768, "f16", 512, "some"),
        [(7713, 786, 416), (3822, 0, 111)],
    ),
    (
        Case("gemma-3-27b", 2, 65536, "q8_0", 1024, "none", split=(3, 1)),
        [(20085, 2516, 1127), (7286, 646, 1741), (1428, 0, 738)],
    ),
    (
        Case("deepseek-v2-lite", 2, 16384, "f16", 512, "all"),
        [(498, 252, 96), (755, 234, 328), (14926, 0, 73)],
    ),
    (
        Case("granite-4-h-small", 1, 32768, "q8_0", 2048, "none", parallel=4),
        [(19714, 861, 944), (416, 0, 160)],
    ),
    (Case("qwen3-30b", 0, 8192, "f16", 512, "none"), [(17149, 768, 324)]),
    (Case("deepseek-v4-flash"), [(7102, 142, 324), (140888, 0, 108)]),
    # more context, and the card's buffer is smaller: so it is in the tool
    (Case("lfm2-8b-a1b", 1, 65536, "q8_0", 2048), [(601, 408, 832), (4294, 0, 320)]),
    (Case("lfm2-8b-a1b", 1, 131072, "q8_0", 2048), [(601, 816, 744), (4294, 0, 576)]),
    # ... or the host's
    (Case("lfm2-8b-a1b", 1, 16384, "q8_0", 2048), [(601, 102, 640), (4294, 0, 272)]),
    (Case("lfm2-8b-a1b", 1, 32768, "q8_0", 2048), [(601, 204, 704), (4294, 0, 216)]),
    # a hole that a convolution's result leaves is too small by one tensor, or not
    (
        Case("ling-3-8b", 4, 131072, "f16", 4096, "all", split=(2, 3, 2, 1)),
        [(172, 150, 1480), (195, 439, 1434), (125, 149, 1552), (257, 288, 2722), (7282, 0, 1458)],
    ),
    (
        Case("minimax-01", 2, 32768, "q8_0", 2048, "half"),
        [(6357, 120, 3585), (42198, 180, 3621), (39153, 0, 1681)],
    ),
    (
        Case("talkie-13b", 2, 16384, "f16", 1024, "none", layers=21),
        [(3513, 3520, 252), (3214, 2880, 276), (6728, 6400, 292)],
    ),
    # weights lie with the first run of the layers, caches with each run
    (
        Case("nanbeige-twice", 2, 32768, "q8_0", 512, "none", split=(1, 2)),
        [(1464, 510, 604), (1114, 986, 957), (430, 0, 178)],
    ),
    (
        Case("nanbeige-thrice", 3, 16384, "f16", 1024, "none", layers=40),
        [(0, 448, 56), (0, 416, 56), (430, 384, 659), (2578, 864, 205)],
    ),
    (
        Case("minicpm3-4b", 2, 16384, "f16", 1024, "none", layers=32),
        [(1016, 3200, 137), (1143, 3000, 306), (2159, 6200, 157)],
    ),
    # a part of a layer is computed where the next one's state lies
    (
        Case("arwkv-7b", 2, 16384, "f16", 512, "none", parallel=3),
        [(3907, 39, 276), (3938, 34, 507), (552, 0, 70)],
    ),
    (
        Case("dots3-note", 2, 65536, "q8_0", 2048, "half", parallel=2),
        [(2932, 155, 1274), (22772, 108, 1302), (20071, 0, 875)],
    ),
    # a batch is no larger than the context that is asked for, though more is kept of it
    (
        Case("smollm3-3b", 1, 1000, "q8_0", 2048, "none", parallel=3),
        [(3116, 57, 521), (266, 0, 32)],
    ),
    # what makes embeddings keeps nothing and has no output
    (
        Case("bge-large", 2, 16384, "q8_0", 2048, "none", split=(3, 2)),
        [(192, 0, 216), (115, 0, 112), (33, 0, 120)],
    ),
    (
        Case("embeddinggemma-300m", 2, 16384, "q8_0", 2048, "none", split=(3, 2)),
        [(64, 0, 182), (242, 0, 151), (204, 0, 124)],
    ),
    (
        Case("embeddinggemma-2", 3, 131072, "q8_0", 512, "none", parallel=2),
        [(44, 0, 42), (37, 0, 34), (35, 0, 33), (204, 0, 19)],
    ),
    (
        Case("nomic-embed-2", 1, 65536, "f16", 1024, "all", parallel=4),
        [(57, 0, 26), (424, 0, 38)],
    ),
    (
        Case("llama-embed-8b", 1, 512, "f16", 1024, "none", parallel=2),
        [(7605, 64, 116), (532, 0, 32)],
    ),
    (
        Case("llada-8b", 1, 1000, "q8_0", 2048, "none", parallel=8, layers=5),
        [(1409, 0, 1020), (6713, 0, 456)],
    ),
    # logits of pictures are overwritten by a tensor that nobody fills
    (Case("chameleon-7b", 0, 8192, "f16", 512, "none"), [(7109, 4096, 304)]),
    # both stacks' weights lie with the first runs, each run's cache apart
    (
        Case("hrm-text-1b", 3, 131072, "q8_0", 512, "none", parallel=2),
        [(994, 17544, 1348), (0, 17544, 1810), (102, 17136, 1908), (102, 0, 286)],
    ),
    (
        Case("hrm-text-once", 2, 16384, "q8_0", 2048, "none", split=(3, 2)),
        [(248, 408, 544), (226, 204, 888), (102, 0, 376)],
    ),
    # the head that finds adapters is a layer of the last card
    (
        Case("granite-switch-3b", 3, 131072, "q8_0", 512, "none", parallel=2),
        [(1402, 1904, 346), (1402, 1904, 354), (1462, 1649, 497), (260, 0, 261)],
    ),
    (
        Case("maion-coder", 2, 16384, "q8_0", 2048, "half", split=(3, 2)),
        [(652, 89, 300), (1352, 70, 1235), (1233, 0, 252)],
    ),
    (
        Case("command-r7b", 1, 32768, "f16", 512, "none", layers=10),
        [(3051, 492, 508), (6145, 964, 168)],
    ),
]


@pytest.mark.parametrize(("case", "printed"), PRINTED, ids=lambda one: getattr(one, "model", ""))
def test_what_the_tool_prints(case: Case, printed: list[tuple[int, int, int]]) -> None:
    """It rounds down, the planner up."""
    found = case.planned(shape_of(case.model))
    for own, theirs in zip(found, printed, strict=True):
        assert all(0 <= a - b <= 1 for a, b in zip(own, theirs, strict=True)), (found, printed)
