"""The models role: what counts as settled, what is missing, what may be adopted, the stamp."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from boxwright.facts import ModelsState, ModelStamp, PresentFile
from boxwright.operation import hub_file_url
from boxwright.plan.results import ModelFile, ModelPlan
from roles.models.state import (
    WantedFile,
    candidates,
    checked_before,
    missing_bytes,
    present_at,
    settled,
    stamp_of,
    wanted_files,
)

DIRECTORY = "/srv/models/tiny/Q4"
FILES = (
    ModelFile("Q4/tiny-00001-of-00002.gguf", 700, "A" * 64),
    ModelFile("Q4/tiny-00002-of-00002.gguf", 300, "b" * 64),
)
MODEL = ModelPlan("tiny", "Q4", "someone/tiny", "main", FILES, DIRECTORY, 1)
WANTED = wanted_files(MODEL, FILES)
FIRST, SECOND = (f"{DIRECTORY}/tiny-0000{n}-of-00002.gguf" for n in (1, 2))
WHOLE = (PresentFile(FIRST, 700, 1111), PresentFile(SECOND, 300, 2222))


def stamped(state: ModelsState) -> ModelsState:
    """The same disk with the stamp that the role would write, read back as the fact reads it."""
    document = json.loads(json.dumps(stamp_of(MODEL, "c" * 40, WANTED, state, {"layers": []})))
    assert document.pop("schema") == "boxwright.model/1"
    stamp = TypeAdapter(ModelStamp).validate_python(document)
    return replace(state, stamps=(stamp,))


def test_files_lie_by_their_base_names_with_sums_in_lower_case() -> None:
    assert [file.path for file in WANTED] == [FIRST, SECOND]
    assert WANTED[0].name == "Q4/tiny-00001-of-00002.gguf"
    assert WANTED[0].sha256 == "a" * 64
    assert WANTED[0].part == f"{FIRST}.part"


def test_an_unresolved_file_is_an_error() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        wanted_files(MODEL, (ModelFile("x.gguf", None, "a" * 64),))


def test_only_a_stamp_that_fits_the_disk_settles_a_model() -> None:
    disk = ModelsState(files=WHOLE)
    assert not settled(disk, MODEL, WANTED)
    state = stamped(disk)
    assert settled(state, MODEL, WANTED)
    stamp = state.stamps[0]
    touched = replace(WHOLE[0], mtime_s=1112)
    shorter = replace(WHOLE[0], size_bytes=699)
    for other in (
        replace(state, files=(WHOLE[0],)),
        replace(state, files=(touched, WHOLE[1])),
        replace(state, files=(shorter, WHOLE[1])),
        replace(state, stamps=(replace(stamp, files=stamp.files[:1]),)),
        replace(state, stamps=(replace(stamp, quant="Q8_0"),)),
    ):
        assert not settled(other, MODEL, WANTED)
    other_content = (replace(WANTED[0], sha256="d" * 64), WANTED[1])
    assert not settled(state, MODEL, other_content)


def test_one_touched_file_does_not_make_the_others_be_hashed_again() -> None:
    state = stamped(ModelsState(files=WHOLE))
    touched = replace(state, files=(replace(WHOLE[0], mtime_s=1), WHOLE[1]))
    assert [checked_before(touched, MODEL, file) for file in WANTED] == [False, True]


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ((), 1000),
        (WHOLE, 0),
        ((WHOLE[0],), 300),
        ((PresentFile(f"{FIRST}.part", 200, 1),), 800),
        ((PresentFile(f"{FIRST}.part", 9000, 1),), 300),
        ((PresentFile("/srv/models/other.gguf", 700, 1),), 1000),
    ],
)
def test_what_has_still_to_come(present: tuple[PresentFile, ...], missing: int) -> None:
    assert missing_bytes(ModelsState(files=present), WANTED) == missing


def test_candidates_have_the_same_name_and_size_anywhere_but_in_place() -> None:
    elsewhere = PresentFile("/srv/models/old/tiny-00001-of-00002.gguf", 700, 5)
    state = ModelsState(
        files=(
            elsewhere,
            WHOLE[0],
            replace(elsewhere, path="/srv/models/x/tiny-00001-of-00002.gguf", size_bytes=699),
            replace(elsewhere, path="/srv/models/x/renamed.gguf"),
        )
    )
    assert candidates(state, WANTED[0]) == (elsewhere.path,)
    assert present_at(state, FIRST) == WHOLE[0]


def test_a_stamp_is_never_written_over_a_missing_file() -> None:
    with pytest.raises(ValueError, match="is gone"):
        stamp_of(MODEL, "c" * 40, WANTED, ModelsState(files=WHOLE[:1]), {})


def test_names_in_a_download_url_are_quoted() -> None:
    file = WantedFile("UD Q4/a#b.gguf", "/x/a#b.gguf", 1, "a" * 64)
    url = hub_file_url("http://hub.example/", "some one/repo", "abc", file.name)
    assert url == "http://hub.example/some%20one/repo/resolve/abc/UD%20Q4/a%23b.gguf"
