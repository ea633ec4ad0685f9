"""The key of NVIDIA's repository: fetched, its fingerprint checked, then shown to apt or dnf."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import PurePosixPath

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.operation.ask import Ask
from boxwright.operation.curl import curl_options
from boxwright.operation.nvidia import nvidia_fingerprint, nvidia_key_urls
from boxwright.operation.options import endpoints_for_host
from boxwright.operation.packages import install_packages, manager_of_host
from boxwright.plan.results import Refusal

GPG = {"apt": "gpg", "dnf": "gnupg2"}


class KeyFingerprints(FactBase[tuple[str, ...]]):
    """Fingerprints of the primary keys in a key file; empty if it or gpg is not there."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """No key."""
        return ()

    def command(self, path: str) -> StringCommand:
        """gpg's listing, with a home of its own so that root's stays as it is."""
        file = QuoteString(path)
        return StringCommand(
            "if test -s", file, "&& command -v gpg >/dev/null; then home=$(mktemp -d) &&",
            'gpg --homedir "$home" --batch --quiet --show-keys --with-colons', file,
            '2>/dev/null; rm -rf "$home"; fi',
        )  # fmt: skip

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The `fpr` record that follows each `pub` record; those of subkeys are left out."""
        found: list[str] = []
        primary = False
        for record in (line.split(":") for line in output):
            if record[0] in ("pub", "sub"):
                primary = record[0] == "pub"
            elif record[0] == "fpr" and primary and len(record) > 9:
                found.append(record[9].upper())
        return tuple(found)


def trusted(found: Sequence[str], fingerprint: str) -> bool:
    """Whether a key file holds this key and no other, since all in it would be trusted."""
    return len(found) == 1 and found[0].endswith(fingerprint)


def have_nvidia_key(repository: str, path: str) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Have the key of a repository such as "debian13" in a file of its own, its fingerprint checked
    before the file has its name; or why it could not be had.
    """
    fingerprint = nvidia_fingerprint(repository)
    if isinstance(fingerprint, Refusal):
        return fingerprint
    there = host.get_fact(KeyFingerprints, path=path)
    if trusted(there, fingerprint):
        return None
    yield from install_packages((GPG[manager_of_host().name],))
    return (yield from _fetch_key(repository, fingerprint, path))


def _fetch_key(
    repository: str, fingerprint: str, path: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    part = f"{path}.part"
    urls = nvidia_key_urls(repository, fingerprint)
    said = "no answer"
    for url in urls:
        ask = Ask(
            f"umask 022 && mkdir -p {PurePosixPath(path).parent} && curl --config - --fail"
            " --location --silent --show-error --retry 2 --connect-timeout 20 --max-time 120",
            "--output",
            QuoteString(part),
            _stdin=curl_options(url, endpoints_for_host()),
        )
        yield ask
        if ask.succeeded:
            break
        said = ask.said[-1].strip() if ask.said else said
    else:
        return Refusal(
            f"the key of NVIDIA's repository is not at {urls[0]} ({said})",
            "check the network of the host, driver_nvidia_repository_url and proxy_url",
        )
    found = host.get_fact(KeyFingerprints, path=part)
    if not trusted(found, fingerprint):
        yield StringCommand("rm -f", QuoteString(part))
        return Refusal(
            f"the key at {url} has the fingerprint {', '.join(found) or 'of no key'}, needed one"
            f" key that ends with {fingerprint}",
            "do not trust that server, or correct driver_nvidia_fingerprints to what NVIDIA"
            " publishes",
        )
    yield StringCommand("chmod 0644", QuoteString(part), "&& mv -T", QuoteString(part), path)
    return None
