"""Options of the run that are no wishes for a plan: endpoints, proxy, credentials' files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pyinfra.context import host


@dataclass(frozen=True)
class Endpoints:
    """Where things come from; every URL may be a mirror. Names are option names.

    The token file lies on the control machine; its first line is the Hub token.
    """

    models_hub_url: str = "https://huggingface.co"
    models_hub_token_file: str | None = None
    runtime_release_api_url: str = "https://api.github.com"
    runtime_repository: str = "ggml-org/llama.cpp"
    proxy_url: str | None = None
    proxy_exceptions: str = "localhost,127.0.0.1"

    def hub_token(self) -> str | None:
        """The Hub token, or None without a token file; raises OSError if it cannot be read."""
        if self.models_hub_token_file is None:
            return None
        return Path(self.models_hub_token_file).expanduser().read_text().split("\n")[0].strip()


def option(name: str, default: Any = None) -> Any:
    """One option of the host that pyinfra is working on; None counts as not set."""
    value = host.data.get(name, default)
    return default if value is None else value


def endpoints_for_host() -> Endpoints:
    """The endpoints that this host's data name."""
    return Endpoints(**{item.name: option(item.name, item.default) for item in fields(Endpoints)})
