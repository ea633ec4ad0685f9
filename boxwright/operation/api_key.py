"""The API key: a file on the control machine, brought to the host without being shown anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from boxwright.plan.results import Refusal


@dataclass(frozen=True)
class ApiKey:
    """The key file's text, as llama-server reads it: one key per line, `#` begins a comment."""

    text: str = field(repr=False)

    @property
    def first(self) -> str:
        """The key to ask with."""
        lines = (line.strip() for line in self.text.splitlines())
        return next(line for line in lines if line and not line.startswith("#"))

    @property
    def sha256(self) -> str:
        """Of the text; it is compared with the host's file and never printed."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fingerprint(self, salt: str) -> str:
        """A digest that may be read by anybody: too slow to try keys against."""
        return _slow_digest(self.text, salt)


@lru_cache(maxsize=256)
def _slow_digest(text: str, salt: str) -> str:
    """Worked out once per key and host of a run: slow on purpose, and each body needs it."""
    made = hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)
    return made.hex()


def read_key(path: str | None) -> ApiKey | Refusal | None:
    """The key of this file; None without a file; a refusal for one that cannot be used."""
    if path is None:
        return None
    file = Path(path).expanduser()
    try:
        mode = file.stat().st_mode & 0o777
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        return Refusal(
            f"server_api_key_file {path} cannot be read ({why}); needed: a text file",
            "make it: `(umask 077; openssl rand -hex 32 > FILE)`",
        )
    if mode & 0o077:
        return Refusal(
            f"server_api_key_file {path} has mode {mode:04o}, needed 0600: others can read the key",
            f"chmod 600 {path}, and make a new key if others may have read it",
        )
    key = ApiKey(text.rstrip("\n") + "\n")
    if not any(line.strip() and not line.strip().startswith("#") for line in text.splitlines()):
        return Refusal(
            f"server_api_key_file {path} holds no key, needed: one per line",
            "make it: `(umask 077; openssl rand -hex 32 > FILE)`",
        )
    if any(ord(letter) < 0x20 for letter in key.first):
        return Refusal(
            f"the first key of server_api_key_file {path} holds a control character, such as a tab;"
            " no HTTP header can carry it",
            "make another: `(umask 077; openssl rand -hex 32 > FILE)`",
        )
    return key
