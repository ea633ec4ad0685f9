"""What can be wrong with a GGUF header; each error's text is one sentence for a user."""

from __future__ import annotations


class GgufError(ValueError):
    """A file that is no readable model; the message says what was found and what was needed."""


class GgufTruncated(GgufError):
    """The bytes at hand end before the header does; with more of them it may be readable.

    `needed_bytes` is how many bytes from the start of the file are needed at least, as far as the
    part that was read can tell.
    """

    def __init__(self, message: str, needed_bytes: int) -> None:
        super().__init__(message)
        self.needed_bytes = needed_bytes
