"""Whether what is missing can be had: asked before anything on the host is changed."""

from __future__ import annotations

from pyinfra.context import host
from pyinfra.facts.files import File

from boxwright.operation import (
    Commands,
    curl_proxy_options,
    endpoints_for_host,
    installed_packages,
    kept_pack,
    manager_of_host,
    noop,
    nvidia_fingerprint,
    nvidia_key_urls,
    nvidia_redist_url,
    operation,
    plan_for_host,
    refuse,
    release_assets,
    rpmfusion_releases,
    source_tree,
)
from boxwright.operation.apt import proxy_settings
from boxwright.plan.results import DriverPlan, Refusal, RuntimePlan, ToolkitPlan
from roles.preflight.operations import missing_release
from roles.preflight.reach import CurlReach, Reach, ReachAnswer


@operation
def endpoints_answer() -> Commands:
    """What is missing can be had: the release's assets or its source, and what vouches for the
    driver and the toolkit."""
    plan = plan_for_host()
    refusal = plan.refusal
    if refusal is None and plan.runtime is not None and missing_release(plan):
        refusal = _no_release(plan.runtime)
    if refusal is None and plan.driver is not None:
        refusal = _no_driver(plan.driver)
    if refusal is not None:
        yield from refuse(refusal)
        return
    noop("what is missing can be had")


def _no_release(runtime: RuntimePlan) -> Refusal | None:
    """A refusal if what a release is made of does not answer; a pack of this machine needs none."""
    source = runtime.source
    if source is None:
        assets = release_assets(runtime)
        return assets if isinstance(assets, Refusal) else None
    if kept_pack(source) is not None:
        return None
    tree = source_tree(source)
    if isinstance(tree, Refusal) or source.toolkit is None:
        return tree if isinstance(tree, Refusal) else None
    return _no_toolkit(source.toolkit)


def _no_toolkit(toolkit: ToolkitPlan) -> Refusal | None:
    """A refusal if NVIDIA does not answer for a toolkit that is missing here."""
    if host.get_fact(File, path=f"{toolkit.root}/bin/nvcc"):
        return None
    if toolkit.repository is not None:
        return _no_key(toolkit.repository)
    # one is asked for, of a size that may be fetched to see whether it comes
    small = [one.path for one in toolkit.tarballs if one.path.startswith("cuda_cccl/")]
    urls = tuple(f"{nvidia_redist_url()}/{path}" for path in small)
    return _not_reached(urls, "NVIDIA's toolkits", "runtime_cuda_redist_url") if urls else None


def _no_driver(driver: DriverPlan) -> Refusal | None:
    if driver.source == "nvidia-repository" and driver.repository is not None:
        return _no_key(driver.repository)
    return _no_releases(driver)


def _no_key(repository: str) -> Refusal | None:
    fingerprint = nvidia_fingerprint(repository)
    if isinstance(fingerprint, Refusal):
        return fingerprint
    urls = nvidia_key_urls(repository, fingerprint)
    return _not_reached(urls, "the key of NVIDIA's repository", "driver_nvidia_repository_url")


def _no_releases(driver: DriverPlan) -> Refusal | None:
    """RPM Fusion's release packages, of those that are not installed; each has to answer."""
    if driver.source == "installed":
        return None
    for release in rpmfusion_releases(driver.prerequisites):
        if not installed_packages([release.package]):
            found = _not_reached(
                (release.url,), "RPM Fusion's release package", "driver_rpmfusion_url"
            )
            if found is not None:
                return found
    return None


def _not_reached(urls: tuple[str, ...], what: str, option_name: str) -> Refusal | None:
    """A refusal if the host gets none of these files, with what its family has from the start."""
    dnf = manager_of_host().name == "dnf"
    settings = curl_proxy_options(endpoints_for_host()) if dnf else None
    if settings is None:
        found = proxy_settings()
        if isinstance(found, Refusal):
            return found
        settings = found
    reach = CurlReach if dnf else Reach
    answer: ReachAnswer | None = host.get_fact(reach, urls=list(urls), _stdin=settings or "\n")
    if answer is None or answer.reached:
        return None
    return Refusal(
        f"this host does not reach {what} at {urls[0]} ({answer.said})",
        f"check the network of the host, {option_name} and proxy_url",
    )
