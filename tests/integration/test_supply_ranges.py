"""Headers fetched by HTTP Range: signed URLs, broken transfers, storage unlike the listing."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxwright.gguf import read_shape
from boxwright.supply import ranges
from tests.integration.supply_asked import CHOICE, failure, found
from tests.integration.supply_world import World
from tests.unit.gguf_files import dense_keys, dense_tensors, write, write_shards


def test_signed_urls_that_expire_are_renewed(world: World) -> None:
    world.uses_per_signature = 1
    write_big_vocabulary(world)
    assert found(world, replace(CHOICE, quant="BIG")).shape.vocabulary == 100_000
    assert [one.status for one in world.asked("storage")].count(403) >= 1


def test_signed_urls_that_are_never_good_are_given_up(world: World) -> None:
    world.uses_per_signature = 0
    told = failure(world)
    assert "gave 0 of the first" in told.reason
    assert "HTTP 403" in told.reason
    assert len(world.asked("storage")) == 4


def write_big_vocabulary(world: World) -> Path:
    path = next(iter(world.files.values())).parent / "Tiny-BIG.gguf"
    write(path, "llama", dense_keys(), dense_tensors(), tokens=100_000)
    world.files["Tiny-BIG.gguf"] = path
    return path


def test_a_transfer_that_breaks_off_goes_on_where_it_broke(world: World) -> None:
    path = write_big_vocabulary(world)
    world.storage_stops_after = 700_000
    model = found(world, replace(CHOICE, quant="BIG"))
    assert model.shape == read_shape([path])
    starts = [one.headers["Range"] for one in world.asked("storage")]
    assert starts[0].startswith("bytes=0-")
    assert starts[1].startswith("bytes=700000-")


def test_a_storage_that_ignores_ranges_still_serves(world: World) -> None:
    path = write_big_vocabulary(world)
    world.ignores_range = True
    assert found(world, replace(CHOICE, quant="BIG")).shape == read_shape([path])


def test_a_part_that_begins_elsewhere_is_not_glued_on(world: World) -> None:
    """The first request is answered as it asks, from 0; the second one, from 700,000 on, is not."""
    write_big_vocabulary(world)
    world.storage_stops_after, world.storage_starts_at = 700_000, 0
    told = failure(world, replace(CHOICE, quant="BIG"))
    asked = [one.headers["Range"] for one in world.asked("storage")]
    assert len(asked) == 2 and asked[1].startswith("bytes=700000-")
    assert told.reason.startswith(f"{world.storage_url} answered HTTP 206 with Content-Range")
    assert f"'bytes 0-1048575/{world.files['Tiny-BIG.gguf'].stat().st_size}'" in told.reason
    assert told.reason.endswith("needs HTTP 206 and a Content-Range from 700000 on")


@pytest.mark.parametrize("header", ["bytes", "bytes */1", "items 0-9/10", "bytes 1-9/" + "9" * 40])
def test_a_part_that_does_not_tell_where_it_begins(world: World, header: str) -> None:
    world.storage_range = header
    told = failure(world)
    assert f"with Content-Range '{header}'" in told.reason and "from 0 on" in told.reason
    assert len(world.asked("storage")) == 1


def test_a_part_of_a_file_of_unknown_size(world: World) -> None:
    size = world.files["Tiny-Q8_0.gguf"].stat().st_size
    world.storage_range = f"bytes 0-{size - 1}/*"
    assert found(world, replace(CHOICE, quant="Q8_0")).shape.file_bytes == size


def test_a_storage_that_drips_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 KiB every 50 ms would take a minute for the first MiB; here it gets 0.5 s and 0.25 s."""
    write_big_vocabulary(world)
    monkeypatch.setattr(ranges, "GRACE_S", 0.5)
    monkeypatch.setattr(ranges, "LEAST_BYTES_PER_S", 4 * 1024**2)
    world.storage_drips = (1024, 0.05)
    started = time.monotonic()
    told = failure(world, replace(CHOICE, quant="BIG"))
    assert time.monotonic() - started < 5
    at, given = told.reason.split(" gave ")
    assert at == world.storage_url and 0 < int(given.split(" of ")[0]) < 64 * 1024
    assert "of the first 1048576 bytes of Tiny-BIG.gguf in " in given
    assert given.endswith(" s, needs all of them in 0.8 s")
    assert "check the network of this machine" in told.cure


def test_a_storage_that_is_slow_but_steady_serves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time grows with what is wanted: 3 MiB at some 5 MiB/s take longer than the grace."""
    path = write_big_vocabulary(world)
    monkeypatch.setattr(ranges, "GRACE_S", 0.2)
    world.storage_drips = (256 * 1024, 0.05)
    started = time.monotonic()
    assert found(world, replace(CHOICE, quant="BIG")).shape == read_shape([path])
    assert time.monotonic() - started > 0.4


def test_attempts_end_with_the_time_that_is_allowed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it is over before the first one is."""
    monkeypatch.setattr(ranges, "GRACE_S", -60.0)
    world.storage_fails = [503] * 9
    assert "in 1 attempt (last: HTTP 503)" in failure(world).reason
    assert len(world.asked("storage")) == 1


def test_an_hour_is_never_spent_on_a_header() -> None:
    """The first MiB is given up within a minute, 64 MiB, which no header exceeds, in 20."""
    allowed = [ranges.GRACE_S + mib * 1024**2 / ranges.LEAST_BYTES_PER_S for mib in (1, 64)]
    assert allowed[0] < 60 and allowed[1] < 20 * 60


def test_headers_of_a_large_model_take_less_than_16_mib(world: World, tmp_path: Path) -> None:
    """A vocabulary as large as Qwen3.5's, in four shards of a model of 60 GiB."""
    from tests.unit.gguf_files import qwen35_122b

    keys, tensors = qwen35_122b()
    cut = len(tensors) // 4
    parts = [tensors[index * cut : (index + 1) * cut] for index in range(3)]
    parts.append(tensors[3 * cut :])
    shards = write_shards(tmp_path, "Big-Q5", "qwen35moe", keys, parts, tokens=248_320)
    world.files |= {path.name: path for path in shards}
    shape = found(world, replace(CHOICE, quant="Q5")).shape
    assert shape.vocabulary == 248_320
    assert shape.file_bytes > 60 * 1024**3
    # what is still in the sockets when the reader has enough counts as sent here
    assert world.sent_bytes() < 16 * 1024**2
    assert len(world.asked("storage")) <= 9


@pytest.mark.parametrize(
    ("fault", "asked", "told"),
    [(socket.EAI_NONAME, 1, "in 1 attempt ("), (socket.EAI_AGAIN, 4, "in 4 attempts (")],
)
def test_a_storage_whose_name_does_not_exist_is_asked_once_and_named(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: int, asked: int, told: str
) -> None:
    real, names = socket.getaddrinfo, []

    def lookup(host: Any, *more: Any, **also: Any) -> Any:
        if host != "cdn.invalid":
            return real(host, *more, **also)
        names.append(host)
        raise socket.gaierror(fault, "no answer for the name")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    world.storage_url = "http://cdn.invalid"
    assert f"http://cdn.invalid could not be reached {told}" in failure(world).reason
    assert len(names) == asked


def test_a_file_of_another_size_than_listed(world: World, tmp_path: Path) -> None:
    path = world.files["Tiny-Q8_0.gguf"]
    listed = path.stat().st_size
    shorter = tmp_path / "shorter.gguf"
    shorter.write_bytes(path.read_bytes()[:4096])
    world.signed = _AlwaysShort(str(shorter))
    told = failure(world, replace(CHOICE, quant="Q8_0"))
    assert "Tiny-Q8_0.gguf is 4096 bytes long in the Hub's storage" in told.reason
    assert f"needs the {listed} of its listing" in told.reason


def test_a_whole_file_of_another_size_than_listed(world: World, tmp_path: Path) -> None:
    world.ignores_range = True
    shorter = tmp_path / "shorter.gguf"
    shorter.write_bytes(world.files["Tiny-Q8_0.gguf"].read_bytes()[:4096])
    world.signed = _AlwaysShort(str(shorter))
    told = failure(world, replace(CHOICE, quant="Q8_0"))
    assert "Tiny-Q8_0.gguf is 4096 bytes long in the Hub's storage" in told.reason


class _AlwaysShort(dict[str, tuple[str, int]]):
    """Storage that gives one file for every signature."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def __setitem__(self, key: str, value: tuple[str, int]) -> None:
        super().__setitem__(key, (self.path, value[1]))


def test_a_file_that_is_no_gguf(world: World, tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<!doctype html>" + b" " * 5000)
    world.files["Tiny-Q2_K.gguf"] = page
    told = failure(world, replace(CHOICE, quant="Q2_K"))
    assert "page.gguf" not in told.reason
    assert "Tiny-Q2_K.gguf begins with '<!do', needs 'GGUF'" in told.reason
