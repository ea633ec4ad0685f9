"""Small files written whole or not at all, with their content on standard input, never in argv."""

from __future__ import annotations

from pyinfra.api import QuoteString, StringCommand


def write_whole(
    path: str, text: str, owner: str = "root:root", mode: str = "0644"
) -> StringCommand:
    """The command that brings `text` to `path`: beside it first, private, then renamed.

    `text` ends with a newline. It is neither logged nor shown in a diff, so it may be a secret.
    """
    assert text.endswith("\n")
    part, whole = QuoteString(f"{path}.part"), QuoteString(path)
    return StringCommand(
        "umask 077 && cat >", part, "&& chown", owner, part, "&& chmod", mode, part,
        "&& sync", part, "&& mv -T", part, whole,
        _stdin=text,
    )  # fmt: skip
