"""A host's own apt sources: which components they lack, and which repositories they have."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.context import host
from pyinfra.facts.apt import AptRepo, AptSources

from boxwright.operation.planning import machine_of_host


def component_stanzas(components: Sequence[str]) -> list[dict[str, str]]:
    """The sources that are missing on this host for some components; empty if none is."""
    if not components:
        return []
    return stanzas_for(host.get_fact(AptSources), components, machine_of_host().os.codename or "")


def is_sourced_elsewhere(uri: str, key: str) -> bool:
    """Whether this host has a repository as a source already, under another key file than `key`.

    NVIDIA's own instructions (cuda-keyring) make such a source, and where one repository has two
    keys apt reads no source at all ("Conflicting values set for option Signed-By").
    """
    sources: list[AptRepo] = host.get_fact(AptSources)
    same = [one for one in sources if one.type == "deb" and one.url.rstrip("/") == uri.rstrip("/")]
    return any(one.options.get("signed-by") != key for one in same)


def stanzas_for(
    sources: Sequence[AptRepo], components: Sequence[str], codename: str
) -> list[dict[str, str]]:
    """Sources for the components that no source has, beside each `main` of this distribution."""
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    binary = [one for one in sources if one.type == "deb"]
    offered = {component for one in binary for component in one.components}
    missing = [component for component in components if component not in offered]
    found: list[dict[str, str]] = []
    for one in binary if missing else []:
        signed = one.options.get("signed-by", "")
        inline = not isinstance(signed, str) or "BEGIN PGP" in signed
        stanza = {
            "uri": one.url,
            "suite": one.distribution,
            "components": " ".join(missing),
            "key": "" if inline else str(signed),
        }
        ours = "main" in one.components and one.distribution in suites
        if ours and stanza not in found:
            found.append(stanza)
    return found
