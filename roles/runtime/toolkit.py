"""What a build needs on the host that compiles: tools, a compiler, and the CUDA toolkit."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import PurePosixPath

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host
from pyinfra.facts.files import File

from boxwright.operation import (
    Ask,
    Commands,
    Download,
    available_packages,
    curl_options,
    enable_repositories,
    endpoints_for_host,
    fetch,
    install_packages,
    installed_packages,
    manager_of_host,
    nvidia_redist_url,
    quoted,
    update_lists,
)
from boxwright.plan.results import Refusal, SourceBuild, Tarball, ToolkitPlan
from roles.runtime.cuda_source import have_sources
from roles.runtime.leftovers import DOWNLOADS

REDISTRIBUTABLE = "redistributable"
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
    return (yield from _packaged(toolkit))


def _packaged(toolkit: ToolkitPlan) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Have a toolkit's packages from the distribution or from NVIDIA's repository."""
    options = yield from have_sources(toolkit)
    if isinstance(options, Refusal):
        return options
    yield from update_lists(options)
    offered = available_packages(toolkit.packages, options)
    lacking = [name for name in toolkit.packages if name not in offered]
    if lacking:
        return _not_offered(toolkit, lacking)
    manager = manager_of_host()
    host.log(f"CUDA {toolkit.version} is being installed: some GB, this takes minutes")
    yield from manager.patiently(
        f"{manager.install} {options} {quoted(toolkit.packages)}",
        Refusal(
            f"{manager.tool} could not install CUDA {toolkit.version}",
            "mend what is told in brackets, then run again",
        ),
    )
    return None


def _not_offered(toolkit: ToolkitPlan, lacking: Sequence[str]) -> Refusal:
    """What the catalog says of a repository rests on what was seen there; it may have changed."""
    where = f"NVIDIA's repository {toolkit.repository}" if toolkit.repository else "the archive"
    return Refusal(
        f"{where} has no {', '.join(lacking)}, which CUDA {toolkit.version} is made of",
        "choose another line with runtime_cuda (boxwright plan tells which fit), or name assets of"
        " your own in runtime_asset_rows",
    )


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
