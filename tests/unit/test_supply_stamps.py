"""A model from the host's own stamp: exactly the chosen one, or none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from boxwright.plan.known import ModelChoice
from boxwright.plan.results import ModelFile
from boxwright.shapes import LayerShape, ModelShape
from boxwright.supply import ResolvedModel, model_from_stamp

SHAPE = ModelShape(
    architecture="llama",
    layers=(LayerShape(dense_bytes=7, kv_elements_k=128, sliding_window=64),),
    embedding_bytes=1,
    output_bytes=2,
    other_bytes=3,
    hidden_size=512,
    vocabulary=10,
    context_train=8192,
    metadata={"llama.rope.freq_base": 10000.0, "general.name": "Tiny", "llama.block_count": 1},
)
COMMIT = "a" * 40
NAMES = ("Q4/tiny-00001-of-00002.gguf", "Q4/tiny-00002-of-00002.gguf")
CHOICE = ModelChoice(name="tiny", quant="Q4", repository="lab/tiny", revision="main", names=NAMES)


@dataclass(frozen=True)
class File:
    name: str
    size_bytes: int
    sha256: str
    mtime_s: float = 0.0


@dataclass(frozen=True)
class Stamp:
    repository: str = "lab/tiny"
    commit: str = COMMIT
    files: tuple[File, ...] = (
        File("tiny-00001-of-00002.gguf", 10, "1" * 64),
        File("tiny-00002-of-00002.gguf", 20, "2" * 64),
    )
    shape: Any = field(default_factory=SHAPE.to_json)


@dataclass(frozen=True)
class Present:
    path: str
    size_bytes: int


THERE = (
    Present("/srv/models/tiny/Q4/tiny-00001-of-00002.gguf", 10),
    Present("/srv/models/tiny/Q4/tiny-00002-of-00002.gguf", 20),
)


@dataclass(frozen=True)
class State:
    """A host with one stamp, of model tiny in quant Q4, and the files below its model disk."""

    stamp: Stamp | None
    files: tuple[Present, ...] = THERE

    def stamp_of(self, name: str, quant: str) -> Stamp | None:
        return self.stamp if (name, quant) == ("tiny", "Q4") else None


def test_the_stamp_of_the_chosen_model() -> None:
    assert model_from_stamp(CHOICE, State(Stamp())) == ResolvedModel(
        files=(ModelFile(NAMES[0], 10, "1" * 64), ModelFile(NAMES[1], 20, "2" * 64)),
        commit=COMMIT,
        shape=SHAPE,
    )


def test_types_of_the_metadata_survive() -> None:
    model = model_from_stamp(CHOICE, State(Stamp()))
    assert model is not None
    kinds = {key: type(value) for key, value in model.shape.metadata.items()}
    assert kinds == {"llama.rope.freq_base": float, "general.name": str, "llama.block_count": int}


def test_names_of_the_repository_may_be_in_the_stamp() -> None:
    stamp = Stamp(files=(File(NAMES[0], 10, "1" * 64), File(NAMES[1], 20, "2" * 64)))
    unnamed = model_from_stamp(replace(CHOICE, names=()), State(stamp))
    assert unnamed is not None
    assert tuple(file.name for file in unnamed.files) == NAMES


def test_a_pinned_commit_that_is_the_stamped_one() -> None:
    assert model_from_stamp(replace(CHOICE, revision=COMMIT), State(Stamp())) is not None


def test_pins_that_agree() -> None:
    pinned = replace(CHOICE, sha256={NAMES[0]: "1" * 64}, size_bytes={NAMES[1]: 20})
    assert model_from_stamp(pinned, State(Stamp())) is not None


@pytest.mark.parametrize(
    ("choice", "stamp"),
    [
        (CHOICE, None),
        (replace(CHOICE, quant="Q8"), Stamp()),
        (replace(CHOICE, repository="other/tiny"), Stamp()),
        (replace(CHOICE, revision="b" * 40), Stamp()),
        (replace(CHOICE, names=NAMES[:1]), Stamp()),
        (replace(CHOICE, names=("Q4/other.gguf",)), Stamp()),
        (replace(CHOICE, sha256={NAMES[0]: "9" * 64}), Stamp()),
        (replace(CHOICE, size_bytes={NAMES[1]: 21}), Stamp()),
        (CHOICE, Stamp(files=())),
        (CHOICE, Stamp(shape={})),
        (CHOICE, Stamp(shape=None)),
        (CHOICE, Stamp(shape={**SHAPE.to_json(), "layers": [{"dense_bytes": "x"}]})),
        (CHOICE, Stamp(shape="text")),
    ],
)
def test_anything_else_has_to_be_asked_for(choice: ModelChoice, stamp: Stamp | None) -> None:
    assert model_from_stamp(choice, State(stamp)) is None


@pytest.mark.parametrize(
    "files",
    [
        (),
        THERE[:1],
        (THERE[0], replace(THERE[1], size_bytes=19)),
        (THERE[0], replace(THERE[1], path=THERE[1].path + ".part")),
        (THERE[0], replace(THERE[1], path="/srv/models/tiny/Q8/tiny-00002-of-00002.gguf")),
    ],
)
def test_a_stamp_whose_files_are_not_all_there_vouches_for_nothing(
    files: tuple[Present, ...],
) -> None:
    assert model_from_stamp(CHOICE, State(Stamp(), files)) is None


def test_the_state_that_facts_report() -> None:
    """The real fact's classes, filled as it fills them."""
    from boxwright.facts.models import ModelsState, PresentFile
    from boxwright.facts.models import ModelStamp as FactStamp
    from boxwright.facts.models import StampedFile as FactFile

    stamp = Stamp()
    state = ModelsState(
        stamps=(
            FactStamp(
                name="tiny",
                quant="Q4",
                repository=stamp.repository,
                commit=stamp.commit,
                files=tuple(FactFile(f.name, f.size_bytes, f.sha256, 1) for f in stamp.files),
                shape=stamp.shape,
            ),
        ),
        files=tuple(PresentFile(one.path, one.size_bytes, 1) for one in THERE),
        directory="/srv/models",
    )
    model = model_from_stamp(CHOICE, state)
    assert model is not None
    assert model.shape == SHAPE
