"""Whether what is missing can be had: asked before anything on the host is changed."""

from __future__ import annotations

from pyinfra.context import host

from boxwright.operation import (
    Commands,
    curl_proxy_options,
    endpoints_for_host,
    installed_packages,
    noop,
    nvidia_fingerprint,
    nvidia_key_urls,
    operation,
    plan_for_host,
    refuse,
    release_assets,
    rpmfusion_releases,
)
from boxwright.operation.apt import proxy_settings
from boxwright.plan.results import DriverPlan, Refusal
from roles.preflight.operations import missing_release
from roles.preflight.reach import CurlReach, Reach, ReachAnswer


@operation
def endpoints_answer() -> Commands:
    """What is missing can be had: the release's assets, and what vouches for the driver."""
    plan = plan_for_host()
    refusal = plan.refusal
    if refusal is None and plan.runtime is not None and missing_release(plan):
        assets = release_assets(plan.runtime)
        refusal = assets if isinstance(assets, Refusal) else None
    if refusal is None and plan.driver is not None:
        refusal = _no_key(plan.driver) or _no_releases(plan.driver)
    if refusal is not None:
        yield from refuse(refusal)
        return
    noop("what is missing can be had")


def _no_key(driver: DriverPlan) -> Refusal | None:
    if driver.source != "nvidia-repository" or driver.repository is None:
        return None
    fingerprint = nvidia_fingerprint(driver.repository)
    if isinstance(fingerprint, Refusal):
        return fingerprint
    urls = nvidia_key_urls(driver.repository, fingerprint)
    return _not_reached(
        driver, urls, "the key of NVIDIA's repository", "driver_nvidia_repository_url"
    )


def _no_releases(driver: DriverPlan) -> Refusal | None:
    """RPM Fusion's release packages, of those that are not installed; each has to answer."""
    if driver.source == "installed":
        return None
    for release in rpmfusion_releases(driver.prerequisites):
        if not installed_packages([release.package]):
            found = _not_reached(
                driver, (release.url,), "RPM Fusion's release package", "driver_rpmfusion_url"
            )
            if found is not None:
                return found
    return None


def _not_reached(
    driver: DriverPlan, urls: tuple[str, ...], what: str, option_name: str
) -> Refusal | None:
    """A refusal if the host gets none of these files, with what its family has from the start."""
    settings = curl_proxy_options(endpoints_for_host()) if driver.manager == "dnf" else None
    if settings is None:
        found = proxy_settings()
        if isinstance(found, Refusal):
            return found
        settings = found
    reach = CurlReach if driver.manager == "dnf" else Reach
    answer: ReachAnswer | None = host.get_fact(reach, urls=list(urls), _stdin=settings or "\n")
    if answer is None or answer.reached:
        return None
    return Refusal(
        f"this host does not reach {what} at {urls[0]} ({answer.said})",
        f"check the network of the host, {option_name} and proxy_url",
    )
