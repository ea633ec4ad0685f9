"""The key of a driver's repository: read by gpg, checked by its fingerprint, then named."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from boxwright.operation.nvidia_key import KeyFingerprints, trusted
from roles.driver import key
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box
from tests.unit.shell import answered

KEY = key.KEYS["apt"]
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF8793F200"


@pytest.fixture
def keys(tmp_path: Path) -> Any:
    """Make armored key files with gpg, by the number of keys in them: (file, fingerprints)."""
    if shutil.which("gpg") is None:
        pytest.skip("needs gpg")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    def gpg(*words: str) -> str:
        command = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback"]
        done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
        return done.stdout

    def make(count: int) -> tuple[Path, list[str]]:
        users = [f"Key {number} <k{number}@invalid>" for number in range(count)]
        for user in users:
            gpg("--passphrase", "", "--quick-generate-key", user, "ed25519", "cert", "never")
            made = gpg("--with-colons", "--list-keys", user).split("fpr:")[1].strip(":").split(":")
            gpg("--passphrase", "", "--quick-add-key", made[0], "ed25519", "sign", "never")
        listed = gpg("--list-keys", "--keyid-format", "none")
        prints = [line.strip() for line in listed.splitlines() if len(line.strip()) == 40]
        file = tmp_path / f"{count}.asc"
        file.write_text(gpg("--armor", "--export"))
        return file, prints

    yield make
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def test_fingerprints_are_those_that_gpg_lists_and_subkeys_are_none(keys: Any) -> None:
    file, prints = keys(1)
    assert list(answered(KeyFingerprints, path=str(file))) == prints
    assert trusted(prints, prints[0]) and trusted(prints, prints[0][-8:])


def test_a_file_with_a_second_key_is_not_trusted(keys: Any) -> None:
    file, prints = keys(2)
    found = answered(KeyFingerprints, path=str(file))
    assert sorted(found) == sorted(prints)
    assert not trusted(found, prints[0])


def test_no_key_file_is_no_key(tmp_path: Path) -> None:
    assert answered(KeyFingerprints, path=str(tmp_path / "none")) == ()
    (tmp_path / "page.html").write_text("<html>blocked</html>")
    assert answered(KeyFingerprints, path=str(tmp_path / "page.html")) == ()


def keyed(found: dict[str, tuple[str, ...]], **data: Any) -> RoleHost:
    """A fresh host on which these key files hold these keys."""
    host = box(machine("ryzen"), **data)
    host.facts[KeyFingerprints] = lambda path: found.get(path, ())
    host.install("gpg", version="2")
    return host


def test_the_key_gets_its_name_only_after_its_fingerprint_was_seen() -> None:
    host = keyed({f"{KEY}.part": (FINGERPRINT,)})
    fetch, move = host.run(key.trust_key)
    assert "curl --config -" in fetch and fetch.endswith(f"{KEY}.part")
    assert "/debian13/x86_64/8793F200.pub" in host.stdin[0]
    assert move.endswith(f"mv -T {KEY}.part {KEY}")


@pytest.mark.parametrize(
    "found",
    [(), ("F" * 40,), (FINGERPRINT, "F" * 40)],
    ids=["no-key", "another-key", "a-second-key"],
)
def test_a_wrong_key_is_deleted_and_refused_with_both_fingerprints(found: tuple[str, ...]) -> None:
    host = keyed({f"{KEY}.part": found})
    host.run(key.trust_key)
    assert not [command for command in host.sent if "mv -T" in command]
    assert f"rm -f {KEY}.part" in host.sent
    assert host.refusal is not None and "8793F200" in host.refusal
    assert all(one in host.refusal for one in found)


def test_a_trusted_key_is_left_alone() -> None:
    assert keyed({KEY: (FINGERPRINT,)}).run(key.trust_key) == []


def test_a_key_that_answers_only_in_small_letters_is_found() -> None:
    host = keyed({f"{KEY}.part": (FINGERPRINT,)})
    attempts = iter([True, False])
    host.fails_next = lambda text: "curl" in text and next(attempts)
    host.run(key.trust_key)
    assert "8793F200.pub" in host.stdin[0] and "8793f200.pub" in host.stdin[1]
    assert "mv -T" in host.sent[-1]


def test_a_repository_without_a_known_fingerprint_is_refused() -> None:
    host = keyed({}, driver_nvidia_fingerprints={"debian13": "none"})
    host.run(key.trust_key)
    assert host.refusal is not None and "driver_nvidia_fingerprints" in host.refusal


@pytest.mark.parametrize(
    ("url", "fingerprint", "enough"),
    [
        ("https://mirror.lan/cuda", "8793F200", True),
        ("http://mirror.lan/cuda", "8793F200", False),
        ("http://mirror.lan/cuda", FINGERPRINT, True),
    ],
)
def test_without_https_the_whole_fingerprint_is_asked_for(
    url: str, fingerprint: str, enough: bool
) -> None:
    """Who sits between a mirror and the host can make a key that ends with the same 8 digits."""
    host = keyed(
        {f"{KEY}.part": (FINGERPRINT,)}, driver_nvidia_repository_url=url,
        driver_nvidia_fingerprints={"debian13": fingerprint},
    )  # fmt: skip
    sent = host.run(key.trust_key)
    assert any("mv -T" in command for command in sent) == enough
    assert enough or (host.refusal is not None and "40 hexadecimal digits" in host.refusal)
    assert enough or "driver_nvidia_fingerprints = " in str(host.refusal)
