"""The sources that CUDA's packages come from, known to single commands and never to the host.

NVIDIA's repository also carries drivers, and the driver is not its business (reference/nvidia.md,
3.7, "Don't mix"): whatever ends a run, no upgrade and no later run must find it among the host's
sources. So apt is shown a directory in /run that has the host's own sources and these, and dnf's
file is switched off but where a command switches it on.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api import StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host
from pyinfra.facts.files import FindInFile

from boxwright.operation import (
    component_stanzas,
    have_nvidia_key,
    is_sourced_elsewhere,
    manager_of_host,
    nvidia_repository_url,
    rendered,
)
from boxwright.operation.nvidia import SOURCES
from boxwright.plan.results import Refusal, ToolkitPlan

REPOSITORY = "nvidia-repository"
DIRECTORY = "/run/boxwright/cuda"
PARTS = f"{DIRECTORY}/sources"
KEY = f"{DIRECTORY}/key.asc"
DNF_ID = "boxwright-cuda"
FILES = {"apt": f"{PARTS}/boxwright-cuda.sources", "dnf": f"/etc/yum.repos.d/{DNF_ID}.repo"}
COMPONENTS_TEMPLATE = "/etc/apt/sources.list.d/boxwright-components.sources"
COMPONENTS = f"{PARTS}/boxwright-components.sources"
TEMPORARY = (DIRECTORY, FILES["dnf"])

# whatever the host's settings say, apt-config knows where its sources are
OWN_SOURCES = f"""\
rm -rf -- {PARTS} && umask 022 && mkdir -p {PARTS} &&
eval "$(apt-config shell own Dir::Etc::SourceParts/d)" &&
for file in "${{own%/}}"/*; do test ! -e "$file" || ln -s "$file" {PARTS}/ || exit 1; done"""


def have_sources(toolkit: ToolkitPlan) -> Generator[PyinfraCommand, None, str | Refusal]:
    """Have what a toolkit's packages come from; the options by which a command uses it.

    None are needed where the host has these sources already. A refusal where NVIDIA's key cannot
    be had or is another one.
    """
    manager = manager_of_host().name
    stanzas = component_stanzas(toolkit.components)
    repository = toolkit.repository or ""
    uri = f"{nvidia_repository_url()}/{repository}/x86_64/"
    foreign = toolkit.source == REPOSITORY and not _is_there(repository, uri, manager)
    if not foreign and not stanzas:
        return ""
    if manager == "apt":
        yield StringCommand(OWN_SOURCES)
    if foreign:
        failed = yield from have_nvidia_key(repository, KEY)
        if failed is not None:
            return failed
        yield from rendered(
            FILES[manager], template=SOURCES[manager], uri=uri, key=KEY, id=DNF_ID, enabled=0
        )
    if stanzas:
        yield from rendered(COMPONENTS, template=COMPONENTS_TEMPLATE, stanzas=stanzas)
    return f"-o Dir::Etc::SourceParts={PARTS}/" if manager == "apt" else f"--enablerepo={DNF_ID}"


def _is_there(repository: str, uri: str, manager: str) -> bool:
    """Whether the host has this repository as a source: the driver's, or one of its own."""
    if host.get_fact(FindInFile, path=SOURCES[manager], pattern=f"/{repository}/"):
        return True
    return manager == "apt" and is_sourced_elsewhere(uri, KEY)
