"""What a build needs on the host that compiles: tools, a compiler, and the CUDA toolkit.

NVIDIA's repository for the toolkit is a source of packages only while it is being installed: it
also carries drivers, and the driver is not its business (reference/nvidia.md, 3.7, "Don't mix").
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import PurePosixPath

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host
from pyinfra.facts.files import File, FindInFile

from boxwright.operation import (
    Ask,
    Commands,
    Download,
    absent,
    available_packages,
    component_stanzas,
    curl_options,
    enable_repositories,
    endpoints_for_host,
    fetch,
    have_nvidia_key,
    install_packages,
    installed_packages,
    is_sourced_elsewhere,
    manager_of_host,
    nvidia_redist_url,
    nvidia_repository_url,
    quoted,
    rendered,
    update_lists,
)
from boxwright.operation.nvidia import SOURCES
from boxwright.plan.results import Refusal, SourceBuild, Tarball, ToolkitPlan
from roles.runtime.leftovers import DOWNLOADS

REPOSITORY = "nvidia-repository"
REDISTRIBUTABLE = "redistributable"
CUDA_SOURCES = {
    "apt": "/etc/apt/sources.list.d/boxwright-cuda.sources",
    "dnf": "/etc/yum.repos.d/boxwright-cuda.repo",
}
CUDA_KEYS = {
    "apt": "/etc/apt/keyrings/boxwright-cuda.asc",
    "dnf": "/etc/pki/rpm-gpg/RPM-GPG-KEY-boxwright-cuda",
}
COMPONENTS_TEMPLATE = "/etc/apt/sources.list.d/boxwright-components.sources"
COMPONENTS = "/etc/apt/sources.list.d/boxwright-cuda-components.sources"
TEMPORARY = (*CUDA_SOURCES.values(), *CUDA_KEYS.values(), COMPONENTS)
UNPACK_TIMEOUT_S = 1800


def have_tools(source: SourceBuild) -> Commands:
    """Have CMake, ninja, ccache and the compilers."""
    yield from install_packages(source.prerequisites)
    yield from enable_repositories(source.enable)
    yield from install_packages(source.packages)


def have_toolkit(source: SourceBuild) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Have the CUDA toolkit of a build that needs one; or why it cannot be had."""
    toolkit = source.toolkit
    if toolkit is None:
        return None
    if toolkit.source == REDISTRIBUTABLE:
        yield from install_packages(toolkit.packages)
        return (yield from _unpacked(toolkit))
    if len(installed_packages(toolkit.packages)) == len(toolkit.packages):
        return None
    manager = manager_of_host()
    if toolkit.source == REPOSITORY:
        failed = yield from _add_repository(toolkit, manager.name)
        if failed is not None:
            return failed
    stanzas = component_stanzas(toolkit.components)
    if stanzas:
        yield from rendered(COMPONENTS, template=COMPONENTS_TEMPLATE, stanzas=stanzas)
    yield from update_lists()
    offered = available_packages(toolkit.packages)
    lacking = [name for name in toolkit.packages if name not in offered]
    if not lacking:
        host.log(f"CUDA {toolkit.version} is being installed: some GB, this takes minutes")
        yield from manager.patiently(
            f"{manager.install} {quoted(toolkit.packages)}",
            Refusal(
                f"{manager.tool} could not install CUDA {toolkit.version}",
                "mend what is told in brackets, then run again",
            ),
        )
    for path in (CUDA_SOURCES[manager.name], CUDA_KEYS[manager.name], COMPONENTS):
        yield from absent(path)
    return _not_offered(toolkit, lacking) if lacking else None


def _not_offered(toolkit: ToolkitPlan, lacking: Sequence[str]) -> Refusal:
    """What the catalog says of a repository rests on what was seen there; it may have changed."""
    where = f"NVIDIA's repository {toolkit.repository}" if toolkit.repository else "the archive"
    return Refusal(
        f"{where} has no {', '.join(lacking)}, which CUDA {toolkit.version} is made of",
        "choose another line with runtime_cuda (boxwright plan tells which fit), or name assets of"
        " your own in runtime_asset_rows",
    )


def _add_repository(
    toolkit: ToolkitPlan, manager: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Have NVIDIA's repository among the sources, by its checked key, if the driver's is not it."""
    repository = toolkit.repository or ""
    uri = f"{nvidia_repository_url()}/{repository}/x86_64/"
    if manager == "apt" and is_sourced_elsewhere(uri, CUDA_KEYS["apt"]):
        return None
    if host.get_fact(FindInFile, path=SOURCES[manager], pattern=f"/{repository}/"):
        return None
    failed = yield from have_nvidia_key(repository, CUDA_KEYS[manager])
    if failed is not None:
        return failed
    yield from rendered(
        CUDA_SOURCES[manager], template=SOURCES[manager], uri=uri, key=CUDA_KEYS[manager]
    )
    return None


def _unpacked(toolkit: ToolkitPlan) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Have NVIDIA's tarballs unpacked into the root, each checked by its sha256."""
    if host.get_fact(File, path=f"{toolkit.root}/bin/nvcc"):
        return None
    paths = []
    for tarball in toolkit.tarballs:
        path = f"{DOWNLOADS}/{PurePosixPath(tarball.path).name}"
        failed = yield from _fetched(tarball, path)
        if failed is not None:
            return failed
        paths.append(QuoteString(path))
    root, stage = QuoteString(toolkit.root), QuoteString(f"{toolkit.root}.part")
    yield StringCommand("rm -rf --", stage, "&& umask 022 && mkdir -p", stage)
    for packed in paths:
        yield StringCommand(
            "umask 022 && tar --extract --xz --no-same-owner --strip-components=1 --file", packed,
            "--directory", stage, _timeout=UNPACK_TIMEOUT_S,
        )  # fmt: skip
    # nvcc's own settings name lib64, the tarballs have lib (reference/nvidia.md, 3.6)
    yield StringCommand(
        "ln -sfn lib", QuoteString(f"{toolkit.root}.part/lib64"),
        "&& rm -rf --", root, "&& mv -T", stage, root, "&& rm -f --", *paths,
    )  # fmt: skip
    return None


def _fetched(tarball: Tarball, path: str) -> Generator[PyinfraCommand, None, Refusal | None]:
    url = f"{nvidia_redist_url()}/{tarball.path}"
    cure = "check that the host reaches it, or name a mirror with runtime_cuda_redist_url or a"
    ask = Ask(
        "curl --config - --fail --location --head --silent --show-error --connect-timeout 20"
        " --max-time 60 | tr -d '\\r' | sed -n 's/^content-length: *//Ip' | tail -n 1",
        _stdin=curl_options(url, endpoints_for_host()),
    )
    yield ask
    if not ask.last_line.isdigit():
        said = ask.said[-1].strip() if ask.said else f"length {ask.last_line or 'unknown'}"
        return Refusal(f"{url} does not answer ({said})", f"{cure} proxy with proxy_url")
    item = Download(
        url, path, int(ask.last_line), tarball.sha256, unreachable_cure=f"{cure} proxy with"
        " proxy_url",
    )  # fmt: skip
    return (yield from fetch(item, endpoints_for_host()))
