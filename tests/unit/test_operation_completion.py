"""Asking a host's server: where, with which key, and what its answers say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boxwright.operation import ApiKey, ask_host, decode_tok_s, read_key, timings_of
from boxwright.plan.results import Refusal

KEY = "correct-horse-battery"
TIMINGS = {"predicted_n": 32, "predicted_per_second": 8.6123, "prompt_per_second": 60.5}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(f"# made by hand\n\n{KEY}\nsecond\n")
    return file


def test_the_first_key_of_the_file_is_asked_with_and_never_shown(key_file: Path) -> None:
    key = read_key(str(key_file))
    assert isinstance(key, ApiKey)
    assert key.first == KEY
    assert KEY not in repr(key)
    assert key.fingerprint("one") != key.fingerprint("two")
    assert KEY not in key.fingerprint("one")


def test_a_key_that_others_can_read_is_refused(key_file: Path) -> None:
    key_file.chmod(0o640)
    answer = read_key(str(key_file))
    assert isinstance(answer, Refusal)
    assert "0640" in answer.reason and "chmod 600" in answer.cure
    assert KEY not in answer.sentence()


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_a_file_without_a_key_is_refused(key_file: Path, text: str) -> None:
    key_file.write_text(text)
    assert isinstance(read_key(str(key_file)), Refusal)


def test_a_missing_file_is_refused_and_no_file_is_no_key(tmp_path: Path) -> None:
    assert isinstance(read_key(str(tmp_path / "nowhere")), Refusal)
    assert read_key(None) is None


@pytest.mark.parametrize(
    ("listens", "asked"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.7", "192.168.1.7"),
        ("192.168.1.7,127.0.0.1", "192.168.1.7"),
        ("::", "[::1]"),
        ("fd00::7", "[fd00::7]"),
    ],
)
def test_where_a_server_is_asked(listens: str, asked: str) -> None:
    assert ask_host(listens) == asked


def test_answers_without_timings_say_what_the_server_said() -> None:
    assert timings_of(json.dumps({"choices": [], "timings": TIMINGS})) == TIMINGS
    loading = {"error": {"message": "Loading model", "code": 503}}
    assert timings_of(json.dumps(loading)) == "Loading model"
    assert timings_of("<html>bad gateway</html>") == "<html>bad gateway</html>"
    assert timings_of("") == "nothing"
    assert timings_of('{"timings": {"predicted_n": 0}}') != {"predicted_n": 0}


def test_the_first_token_is_no_part_of_decode() -> None:
    """llama-server counts 32 tokens over the time of 31: 31 in 3100 ms are 10 tok/s."""
    said = {"predicted_n": 32, "predicted_ms": 3100.0, "predicted_per_second": 10.32}
    assert decode_tok_s(said) == 10.0
    for useless in ({}, {"predicted_n": 1, "predicted_ms": 0.001}, {"predicted_n": 9}):
        assert decode_tok_s(useless) == 0.0


def test_a_key_that_no_header_can_carry_is_refused(key_file: Path) -> None:
    key_file.write_text("tab\there\n")
    answer = read_key(str(key_file))
    assert isinstance(answer, Refusal)
    assert "control character" in answer.reason and "tab\there" not in answer.sentence()
