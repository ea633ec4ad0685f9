"""What the Hub's refusals mean, as sentences with a cure."""

from __future__ import annotations

import httpx

from boxwright.plan.known import ModelChoice
from boxwright.supply.http import wait_asked_for_s
from boxwright.supply.results import SupplyError
from boxwright.supply.server import Server

# error codes of the Hub that mean "there, but not for you"
GATED = "GatedRepo"


def hub_refused(response: httpx.Response, server: Server, choice: ModelChoice) -> SupplyError:
    """The error for any answer of the Hub but a good one."""
    status, code = response.status_code, response.headers.get("x-error-code", "")
    told = f"HTTP {status}{f', {code}' if code else ''}"
    repository = f"{choice.repository} on {server.name}"
    if code == GATED:
        return _gated(repository, told, server, choice)
    if status in (401, 403):
        return _unknown_or_private(repository, told, server)
    if status == 429:
        wait_s = wait_asked_for_s(response)
        when = "some minutes" if wait_s is None else f"{int(wait_s) + 1} s"
        return SupplyError(
            f"{server.name} limits requests ({told})",
            f"run again in {when}, or raise the limit with a token in models_hub_token_file",
        )
    if status == 404:
        return _not_found(repository, told, code, choice)
    return SupplyError(
        f"{server.name} answered {told} for {choice.repository}, needs HTTP 200",
        "run again later, or name a mirror with models_hub_url",
    )


def _gated(repository: str, told: str, server: Server, choice: ModelChoice) -> SupplyError:
    page = f"{server.name}/{choice.repository}"
    if server.token:
        return SupplyError(
            f"{repository} is gated and the token does not open it ({told})",
            f"accept the licence at {page} with the account of the token",
        )
    return SupplyError(
        f"{repository} is gated and no token was given ({told})",
        f"accept the licence at {page} and name a file with a read token in models_hub_token_file",
    )


def _unknown_or_private(repository: str, told: str, server: Server) -> SupplyError:
    # the Hub answers 401 for an unknown repository too, so as not to tell private ones apart
    if server.token:
        return SupplyError(
            f"{repository} does not exist, or the token may not read it ({told})",
            "correct the model's repository in models_catalog, or use a token that may read it"
            " in models_hub_token_file",
        )
    return SupplyError(
        f"{repository} does not exist, or is private and no token was given ({told})",
        "correct the model's repository in models_catalog, or name a file with a read token in"
        " models_hub_token_file",
    )


def _not_found(repository: str, told: str, code: str, choice: ModelChoice) -> SupplyError:
    if code == "RevisionNotFound":
        return SupplyError(
            f"{repository} has no revision {choice.revision} ({told})",
            "correct the model's revision in models_catalog",
        )
    if code == "EntryNotFound":
        return SupplyError(
            f"{repository} has no longer the files of {choice.quant} at {choice.revision} ({told})",
            "run again, or correct the model's files in models_catalog",
        )
    return SupplyError(
        f"{repository} does not exist ({told})",
        "correct the model's repository in models_catalog, or models_hub_url",
    )
