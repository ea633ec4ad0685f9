"""Proxies on the way to the Hub and its storage, and secrets that no log may hold."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.integration.supply_asked import failure, found
from tests.integration.supply_world import TOKEN, World


def test_the_proxy_option_reaches_the_hub_and_storage(world: World) -> None:
    found(world, proxy_url=world.proxy_url, proxy_exceptions="localhost")
    assert len(world.asked("proxy")) == len(world.asked("hub")) + len(world.asked("storage"))


def test_proxy_exceptions_are_asked_directly(world: World) -> None:
    found(world, proxy_url="http://127.0.0.1:9", proxy_exceptions="localhost,127.0.0.0/8")
    assert not world.asked("proxy")


def test_a_dead_proxy_is_named(world: World) -> None:
    told = failure(world, proxy_url="http://127.0.0.1:9", proxy_exceptions="")
    assert "through proxy_url http://127.0.0.1:9" in told.reason


def test_a_proxy_that_is_no_url(world: World) -> None:
    assert "proxy_url is 'nonsense'" in failure(world, proxy_url="nonsense").reason


def test_no_log_holds_the_token_or_a_signed_url(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with caplog.at_level(logging.DEBUG):
        found(world, models_hub_token_file=str(token))
    assert TOKEN not in caplog.text
    assert "X-Signature" not in caplog.text


def test_a_dead_proxy_is_named_without_its_password(world: World) -> None:
    told = failure(world, proxy_url="http://user:secret@127.0.0.1:9", proxy_exceptions="")
    assert "through proxy_url http://127.0.0.1:9 in 4 attempts" in told.reason
    assert "secret" not in told.sentence()
