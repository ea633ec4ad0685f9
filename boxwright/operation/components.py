"""Components of a host's own apt archives (`non-free`, `multiverse`), beside those it has."""

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
