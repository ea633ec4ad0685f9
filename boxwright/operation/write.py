"""Small files written whole or not at all, and lines added to records; content never in argv."""

from __future__ import annotations

from pathlib import PurePosixPath

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


def add_line(path: str, text: str) -> StringCommand:
    """The command that adds `text`, one line with its newline, to a file that all may read.

    An empty line comes first: what a killed run cut off must not swallow this one.
    """
    assert text.endswith("\n")
    directory = str(PurePosixPath(path).parent)
    return StringCommand(
        "umask 022 && mkdir -p", QuoteString(directory), "&& cat >>", QuoteString(path),
        _stdin=f"\n{text}",
    )  # fmt: skip
