"""The unit of the server role: what it says, its times, its digest, its drop-ins."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from roles.server.health import pre_start_s, restart_s, stop_s
from roles.server.unit import (
    DROPIN_DIRECTORY,
    Settings,
    config_digest,
    dropin_path,
    dropin_text,
    environment_word,
    exec_word,
    rendered_unit,
    unwanted_dropins,
)
from tests.unit.plans import planned
from tests.unit.shell import programs

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = (ROOT / "templates/etc/systemd/system/llama-server.service.j2").read_text()
SETTINGS = Settings(
    alias="tiny-moe",
    release="b11669-12.8-x64",
    runtime_directory="/opt/llama.cpp",
    model_directory="/srv/models/tiny/Q4",
    args=("--model", "/srv/models/tiny/Q4/a b.gguf", "--port", "8080", "--load-mode", "mlock"),
    environment={"CUDA_CACHE_PATH": "/var/cache/llama-server/nv", "ODD": 'a "b" 100% $HOME'},
    dropins={},
    model_sums=("a" * 64,),
    gpus=2,
)


def test_what_the_driver_compiles_is_kept_where_only_the_service_may_write() -> None:
    """A build of PTX is compiled at its first start, for minutes: never again after that."""
    environment = planned("xeon").server
    assert environment is not None
    path = environment.environment["CUDA_CACHE_PATH"]
    lines = rendered_unit(SETTINGS, TEMPLATE, "d" * 64).splitlines()
    kept = [line.removeprefix("CacheDirectory=") for line in lines if "CacheDirectory=" in line]
    assert kept == ["llama-server"], "systemd makes /var/cache/llama-server, and never empties it"
    assert path.startswith("/var/cache/llama-server/")
    assert "ReadWritePaths=/var/cache/llama-server" in lines and "ProtectSystem=strict" in lines
    assert int(environment.environment["CUDA_CACHE_MAXSIZE"]) >= 2**30


def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    """systemd's own checker reads the whole unit; only the missing binary and user may show."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    binary = tmp_path / "current" / "llama-server"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    settings = replace(SETTINGS, runtime_directory=str(tmp_path), gpus=0, drop_caches=True)
    unit = tmp_path / "llama-server.service"
    unit.write_text(rendered_unit(settings, TEMPLATE, "d" * 64))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    about_ours = [line for line in done.stderr.splitlines() if "llama-server" in line]
    assert about_ours == [], done.stderr


def settings_of(text: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            values.setdefault(name, []).append(value)
    return values


def test_the_unit_says_what_the_plan_says() -> None:
    values = settings_of(rendered_unit(SETTINGS, TEMPLATE, "d" * 64))
    assert values["Type"] == ["exec"]
    assert values["User"] == values["Group"] == ["llama"]
    assert values["LimitMEMLOCK"] == ["infinity"]
    assert values["RequiresMountsFor"] == ["/srv/models/tiny/Q4 /opt/llama.cpp"]
    assert values["ExecStart"] == [
        '/opt/llama.cpp/current/llama-server "--model" "/srv/models/tiny/Q4/a b.gguf"'
        ' "--port" "8080" "--load-mode" "mlock"'
    ]
    assert '"BOXWRIGHT_CONFIG=' + "d" * 64 + '"' in values["Environment"]
    assert r'"ODD=a \"b\" 100%% $HOME"' in values["Environment"]
    assert "ExecStartPre" in values
    assert "ExecStartPre" not in settings_of(rendered_unit(replace(SETTINGS, gpus=0), TEMPLATE, ""))
    # each of these would close the GPU's device files or stop a just-in-time compiler
    for closing in ("ProtectClock", "DeviceAllow", "PrivateDevices", "MemoryDenyWriteExecute"):
        assert closing not in values


@pytest.mark.parametrize("ram_gib", [16, 128, 512, 2048])
def test_the_page_cache_of_a_large_host_has_the_time_that_it_takes_to_empty(ram_gib: int) -> None:
    """A fifth of the RAM may wait to be written; the rest is given back at some GiB a second."""
    ram_mib = ram_gib * 1024
    slow_disk_s, half_a_cache_s = ram_mib / 5 / 100, ram_mib / 2 / 3000
    assert pre_start_s(ram_mib, 100) >= slow_disk_s + half_a_cache_s
    assert pre_start_s(ram_mib, 100) == pre_start_s(ram_mib - 3, 100)
    assert pre_start_s(ram_mib, 2000) <= pre_start_s(ram_mib, 100)
    assert pre_start_s(16 * 1024, 100) <= 240 and pre_start_s(512 * 1024, 100) > 1000


def test_the_unit_gives_each_step_its_time_and_the_run_waits_for_all_of_them() -> None:
    settings = replace(
        SETTINGS, drop_caches=True, start_timeout_s=1440, stop_timeout_s=480,
        model_directory="/srv/my models/100%/$x",
    )  # fmt: skip
    values = settings_of(rendered_unit(settings, TEMPLATE, "d" * 64))
    assert values["TimeoutStartSec"] == ["1440"] and values["TimeoutStopSec"] == ["480"]
    assert len(values["ExecStartPre"]) == 2, "systemd gives each of them TimeoutStartSec"
    assert restart_s(1440, 480) >= 2 * 480 + 3 * 1440
    # 400 GB that are unlocked and given back at 1 GB a second
    assert stop_s(400_000) > 400 and stop_s(1000) >= 120


def test_only_the_model_s_disk_is_waited_for_before_the_caches_are_dropped(tmp_path: Path) -> None:
    """`sync` alone would wait for every network mount there is, also for one that hangs."""
    directory = tmp_path / "my models"
    directory.mkdir()
    settings = replace(SETTINGS, gpus=0, drop_caches=True, model_directory=str(directory))
    (line,) = settings_of(rendered_unit(settings, TEMPLATE, ""))["ExecStartPre"]
    quoted = shlex.split(line.removeprefix("-+"))
    words = [word.replace("$$", "$") for word in quoted]  # as systemd does it
    assert words[:2] == ["/bin/sh", "-c"]
    proc = tmp_path / "drop_caches"
    words[2] = words[2].replace("/proc/sys/vm/drop_caches", str(proc))
    with programs(tmp_path, sync='printf "%s\n" "$@" >"$0.args"') as path:
        subprocess.run(words, check=True, env={"PATH": f"{path}:/usr/bin:/bin"})
    assert (tmp_path / "sync.args").read_text().splitlines() == ["-f", str(directory)]
    assert proc.read_text() == "3\n"


def test_paths_with_blanks_stay_one_path_each() -> None:
    settings = replace(
        SETTINGS, runtime_directory="/opt/my llama", model_directory="/srv/100% models"
    )
    values = settings_of(rendered_unit(settings, TEMPLATE, "d" * 64))
    assert values["RequiresMountsFor"] == ['"/srv/100%% models" "/opt/my llama"']
    assert values["ExecStart"][0].startswith('"/opt/my llama/current/llama-server" "--model"')


def test_words_are_quoted_for_systemd() -> None:
    assert exec_word("100% of $HOME") == '"100%% of $$HOME"'
    assert exec_word('say "hi"\\') == r'"say \"hi\"\\"'
    assert exec_word("two\nlines") == r'"two\nlines"'
    assert environment_word("A", "$B") == '"A=$B"'


def test_the_digest_changes_with_all_that_the_process_is_started_from() -> None:
    digest = config_digest(SETTINGS, TEMPLATE)
    assert digest == config_digest(replace(SETTINGS), TEMPLATE)
    others = [
        replace(SETTINGS, release="b11670-12.8-x64"),
        replace(SETTINGS, args=(*SETTINGS.args, "--metrics")),
        replace(SETTINGS, environment={}),
        replace(SETTINGS, dropins={"a": "[Service]\n"}),
        replace(SETTINGS, model_sums=("b" * 64,)),
        replace(SETTINGS, secret="another key"),
    ]
    digests = {config_digest(other, TEMPLATE) for other in others}
    digests.add(config_digest(SETTINGS, TEMPLATE + "\n# hardened\n"))
    assert len(digests | {digest}) == len(others) + 2


def test_dropins_of_ours_that_nobody_wants_go_and_a_users_stay() -> None:
    assert dropin_path("memlock") == f"{DROPIN_DIRECTORY}/memlock.conf"
    assert dropin_path("memlock.conf") == f"{DROPIN_DIRECTORY}/memlock.conf"
    ours = [f"{DROPIN_DIRECTORY}/old.conf", f"{DROPIN_DIRECTORY}/memlock.conf"]
    assert unwanted_dropins(ours, {"memlock": ""}) == (f"{DROPIN_DIRECTORY}/old.conf",)
    assert dropin_text("[Service]\nNice=1\n").endswith("\n[Service]\nNice=1\n")


@pytest.mark.parametrize("name", ["", "../../etc/passwd", ".hidden", "a/b"])
def test_a_dropin_name_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(ValueError):
        dropin_path(name)
