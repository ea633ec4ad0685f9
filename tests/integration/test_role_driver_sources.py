"""Where drivers come from: the repository's key is checked, components, pin, persistence."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.facts.apt import AptRepo, AptSources

from boxwright.operation.components import stanzas_for
from boxwright.operation.nvidia_key import KeyFingerprints, trusted
from roles.driver import key, persistence, repository
from roles.driver.persistence import Persistence, PersistenceState, persistent
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, answered, box

KEY, SOURCE = key.KEYS["apt"], repository.SOURCES["apt"]
FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF8793F200"
NVIDIA_620 = {
    "loaded": "620.36.01", "installed": "620.36.01", "flavour": "open", "userspace": "620.36.01",
}  # fmt: skip


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


def test_a_mirror_is_where_the_packages_come_from() -> None:
    host = box(machine("ryzen"), driver_nvidia_repository_url="http://mirror.lan/cuda/")
    host.run(repository.add_source)
    text = host.files[SOURCE]
    assert "URIs: http://mirror.lan/cuda/debian13/x86_64/\n" in text
    assert f"Signed-By: {KEY}\n" in text
    assert host.run(repository.add_source) == []


@pytest.mark.parametrize(
    ("url", "key", "ours"),
    [
        ("http://mirror.lan/cuda/debian13/x86_64/", "/usr/share/keyrings/cuda.gpg", False),
        ("http://mirror.lan/cuda/debian13/x86_64", "", False),
        ("http://mirror.lan/cuda/debian13/x86_64/", KEY, True),
        ("http://mirror.lan/cuda/debian12/x86_64/", "/usr/share/keyrings/cuda.gpg", True),
    ],
)
def test_a_source_that_the_host_has_already_is_not_added_with_a_second_key(
    url: str, key: str, ours: bool
) -> None:
    """apt reads no source at all where one repository has two keys (seen on a lab host)."""
    host = box(machine("ryzen"), driver_nvidia_repository_url="http://mirror.lan/cuda/")
    host.facts[AptSources] = [repo(url, "/", key=key)]
    host.run(repository.add_source)
    assert (SOURCE in host.files) == ours
    host.files[SOURCE] = "left by a run before the other was added"
    assert (f"rm -f {SOURCE}" in host.run(repository.add_source)) != ours


def test_ubuntu_s_archive_needs_no_other_source_and_a_left_one_goes() -> None:
    host = box(machine("xeon"))
    assert host.run(key.trust_key) == []
    host.files = {SOURCE: "old", KEY: "old"}
    assert host.run(repository.add_source) == [
        f"rm -f {SOURCE}",
        f"rm -f {KEY}",
    ]


def test_the_pin_is_above_what_would_keep_a_newer_branch() -> None:
    host = box(machine("xeon"))
    host.run(repository.pin_branch)
    fields = dict(line.split(": ", 1) for line in host.files[repository.PIN].splitlines())
    assert fields["Pin"] == "version 580.*"
    assert int(fields["Pin-Priority"]) > 1000
    assert "nvidia-*-580-server*" in fields["Package"].split()
    assert host.run(repository.pin_branch) == []


def repo(url: str, suite: str, *components: str, key: str = "/usr/share/k.gpg") -> AptRepo:
    return AptRepo("deb", url, suite, list(components), {"signed-by": key} if key else {})


def test_missing_components_come_from_the_host_s_own_archives() -> None:
    sources = [
        repo("http://deb/debian", "trixie", "main", "non-free-firmware"),
        repo("http://deb/debian", "trixie-updates", "main", "non-free-firmware"),
        repo("http://deb/security", "trixie-security", "main"),
        repo("http://vendor/apt", "stable", "main"),
        repo("http://vendor/apt", "trixie", "contrib"),
    ]
    stanzas = stanzas_for(sources, ("contrib", "non-free", "non-free-firmware"), "trixie")
    assert [(one["uri"], one["suite"]) for one in stanzas] == [
        ("http://deb/debian", "trixie"),
        ("http://deb/debian", "trixie-updates"),
        ("http://deb/security", "trixie-security"),
    ]
    assert {one["components"] for one in stanzas} == {"non-free"}
    assert {one["key"] for one in stanzas} == {"/usr/share/k.gpg"}
    assert stanzas_for(sources, ("contrib",), "trixie") == []


def test_components_are_written_as_apt_reads_them() -> None:
    host = box(machine("ryzen"), driver_source="debian-archive")
    ampere = {"pci": "0000:01:00.0", "id": "10de:2204", "class": "0x030000", "driver": "nouveau"}
    host.machine = machine("ryzen", gpus=[ampere])
    host.facts[AptSources] = [
        repo("http://deb/debian", "trixie", "main"),
        repo("http://deb/security", "trixie-security", "main", key=""),
    ]
    host.run(repository.add_components)
    text = host.files[repository.COMPONENTS]
    parsed = AptSources().process(["##PYINFRA_FILE /x.sources", *text.splitlines()])
    assert [(one.url, one.components) for one in parsed] == [
        ("http://deb/debian", ["contrib", "non-free", "non-free-firmware"]),
        ("http://deb/security", ["contrib", "non-free", "non-free-firmware"]),
    ]


# -- the persistence daemon --------------------------------------------------------------------

UBUNTU = [
    "LoadState=loaded",
    "ActiveState=active",
    "UnitFileState=static",
    "NeedDaemonReload=no",
    "MainPID=71",
    "ExecStart={ path=/usr/bin/nvidia-persistenced ; argv[]=/usr/bin/nvidia-persistenced"
    " --user nvidia-persistenced --no-persistence-mode --verbose ; ignore_errors=no ;"
    " start_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }",
    "Running=/usr/bin/nvidia-persistenced --user nvidia-persistenced --no-persistence-mode ",
]


def keeping(state: PersistenceState) -> RoleHost:
    host = box(machine("ryzen", nvidia=NVIDIA_620))
    host.facts[Persistence] = state
    return host


def test_ubuntu_s_unit_that_turns_persistence_off_is_turned_round() -> None:
    host = keeping(Persistence().process(UBUNTU))
    host.run(persistence.keep_loaded)
    text = host.files[persistence.OVERRIDE]
    starts = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert starts == [
        "ExecStart=",
        "ExecStart=/usr/bin/nvidia-persistenced --user nvidia-persistenced --verbose",
    ]
    assert "systemctl daemon-reload" in host.sent
    assert any("systemctl restart nvidia-persistenced.service" in one for one in host.sent)


def test_a_daemon_that_runs_as_it_should_is_left_alone() -> None:
    good = persistent("/usr/bin/nvidia-persistenced --user nvpd")
    state = PersistenceState(True, good, good, active=True, enabled="enabled")
    assert keeping(state).run(persistence.keep_loaded) == []


def test_a_daemon_that_still_runs_the_old_way_is_restarted() -> None:
    """The run was killed between the drop-in and the restart."""
    good = "/usr/bin/nvidia-persistenced --verbose"
    old = f"{good} --no-persistence-mode"
    state = PersistenceState(True, good, old, active=True, enabled="static", needs_reload=True)
    reload, restart = keeping(state).run(persistence.keep_loaded)
    assert reload == "systemctl daemon-reload"
    assert restart.startswith("systemctl restart")


def test_without_its_package_nothing_is_done() -> None:
    assert keeping(PersistenceState()).run(persistence.keep_loaded) == []
