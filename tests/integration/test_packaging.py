"""What is packaged: the mind with its data, nothing else; and that it works without a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it but pip."""
    made = tmp_path_factory.mktemp("environment") / "bare"
    subprocess.run([sys.executable, "-m", "venv", str(made)], check=True, timeout=120)
    return made


def pip(bare: Path, *words: str) -> None:
    command = [str(bare / "bin" / "pip"), "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True, timeout=600)


@pytest.fixture(scope="module")
def wheel(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as any installer builds it from this checkout."""
    out = tmp_path_factory.mktemp("wheel")
    pip(bare, "wheel", "--no-deps", "--wheel-dir", str(out), str(ROOT))
    (built,) = out.glob("*.whl")
    return built


def test_only_the_mind_is_packaged_with_all_its_data(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in packed}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"boxwright"}
    tracked = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "boxwright").rglob("*")
        if path.is_file() and path.suffix in {".py", ".yaml", ".sh", ".awk", ".json", ".txt"}
    }
    assert tracked <= packed
    assert "boxwright/facts/probe.sh" in packed
    assert any(name.startswith("boxwright/catalog/") and name.endswith(".yaml") for name in packed)


def test_it_installs_into_a_bare_environment_and_runs_without_a_checkout(
    wheel: Path, bare: Path, tmp_path: Path
) -> None:
    pip(bare, "install", str(wheel))
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "BOXWRIGHT_HOME"}}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(bare / "bin" / words[0]), *words[1:]]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    helped = run("boxwright", "--help")
    assert helped.returncode == 0
    for verb in ("facts", "plan", "apply", "verify"):
        assert verb in helped.stdout
    loaded = run("python", "-c", "from boxwright import catalog; print(catalog.load())")
    assert loaded.returncode == 0, loaded.stderr
    lost = run("boxwright", "apply", "@local")
    assert lost.returncode == 2
    assert "BOXWRIGHT_HOME" in lost.stderr
