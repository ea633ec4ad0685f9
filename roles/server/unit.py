"""The unit of llama-server as text, and the digest that tells whether a process runs just that.

Pure but for reading the template. The digest is in the unit's environment, so the running process
carries it: a restart is decided by comparing, not by what this run happened to change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from roles.server.health import BASE_S

UNIT = "llama-server.service"
UNIT_PATH = f"/etc/systemd/system/{UNIT}"
DROPIN_DIRECTORY = f"{UNIT_PATH}.d"
TEMPLATE = f"templates{UNIT_PATH}.j2"  # in the checkout, from where pyinfra is run
USER = "llama"
CACHE_NAME = "llama-server"
CACHE_DIRECTORY = f"/var/cache/{CACHE_NAME}"
PLAIN_PATH = re.compile(r"[\w/.+@:-]+")
DIGEST_NAME = "BOXWRIGHT_CONFIG"
DROPIN_MARK = "# Written by Boxwright from server_dropins."


@dataclass(frozen=True)
class Settings:
    """What one host's unit depends on. `secret` is the digest of what is in no unit: the API key.

    `model_sums` are the sha256 of the model's files: other weights under the same names are other
    weights. systemd gives each command of a start `start_timeout_s`, and a stop `stop_timeout_s`.
    """

    alias: str
    release: str
    runtime_directory: str
    model_directory: str
    args: tuple[str, ...]
    environment: Mapping[str, str]
    dropins: Mapping[str, str]
    model_sums: tuple[str, ...]
    gpus: int
    secret: str = ""
    numa_policy: str | None = None
    drop_caches: bool = False
    start_timeout_s: int = BASE_S
    stop_timeout_s: int = BASE_S


def exec_word(word: str) -> str:
    """One word of an ExecStart= line: quoted, with systemd's `$` and `%` expansions off."""
    return _quoted(word).replace("$", "$$")


def environment_word(name: str, value: str) -> str:
    """One assignment of an Environment= line, in which only `%` is expanded."""
    return _quoted(f"{name}={value}")


def _path_word(path: str) -> str:
    """A path where systemd expands `%` only; quoted if it has to be."""
    return path if PLAIN_PATH.fullmatch(path) else _quoted(path)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%") + '"'


def rendered_unit(settings: Settings, template: str, digest: str) -> str:
    """The unit's text."""
    home = {"HOME": CACHE_DIRECTORY, "LLAMA_CACHE": CACHE_DIRECTORY}
    environment = {**home, **settings.environment, DIGEST_NAME: digest}
    binary = _path_word(f"{settings.runtime_directory}/current/llama-server")
    return _compiled(template).render(
        alias=settings.alias.replace("%", "%%").replace("\n", " "),
        directories=[
            _path_word(settings.model_directory),
            _path_word(settings.runtime_directory),
        ],
        user=USER,
        cache_directory=CACHE_DIRECTORY,
        cache_directory_name=CACHE_NAME,
        environment=[environment_word(name, value) for name, value in environment.items()],
        command=" ".join([binary, *map(exec_word, settings.args)]),
        gpus=settings.gpus,
        numa_policy=settings.numa_policy,
        drop_caches=settings.drop_caches,
        model_directory=exec_word(settings.model_directory),
        start_timeout_s=settings.start_timeout_s,
        stop_timeout_s=settings.stop_timeout_s,
    )


@lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    """Compiling takes far longer than rendering, and each body renders the unit anew."""
    jinja = Environment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, autoescape=False
    )
    return jinja.from_string(template)


def config_digest(settings: Settings, template: str) -> str:
    """sha256 over all that the process is started from: unit, drop-ins, release, weights, key."""
    parts = {
        "unit": rendered_unit(settings, template, digest=""),
        "release": settings.release,
        "dropins": dict(settings.dropins),
        "model": settings.model_sums,
        "secret": settings.secret,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def dropin_path(name: str) -> str:
    """Where the drop-in of this name lies; raises ValueError for a name that is no file name."""
    if not name or "/" in name or name.startswith("."):
        raise ValueError(f"server_dropins has the name {name!r}; it has to be a plain file name")
    return f"{DROPIN_DIRECTORY}/{name.removesuffix('.conf')}.conf"


def dropin_text(text: str) -> str:
    """A drop-in as it lies on the host: with our mark, so that it can be told from a user's."""
    return f"{DROPIN_MARK}\n{text.rstrip()}\n"


def unwanted_dropins(ours: Sequence[str], wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Paths of drop-ins with our mark that no option asks for any more."""
    kept = {dropin_path(name) for name in wanted}
    return tuple(sorted(set(ours) - kept))


def template_text() -> str:
    """The unit's template, from the checkout."""
    return Path(TEMPLATE).read_text(encoding="utf-8")
