"""The source tree of a build on the host: the packed tree of a tag, branch or commit, unpacked."""

from __future__ import annotations

import re
from collections.abc import Generator

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.operation import Ask, curl_options, endpoints_for_host, source_tree
from boxwright.plan.results import Refusal, SourceBuild

FETCH_TIMEOUT_S = 1800
# the top directory of a packed tree: OWNER-NAME-<the first digits of the commit>
TOP = re.compile(r"[^/\s]+-(?P<commit>[0-9a-f]{7,40})(/.*)?")


class Tree(FactBase[str | None]):
    """The commit whose tree lies unpacked in a directory; None where there is none."""

    @staticmethod
    def default() -> str | None:
        """None."""
        return None

    def command(self, directory: str) -> StringCommand:
        """The file that is written when the tree is whole."""
        return StringCommand("cat", QuoteString(f"{directory}/commit"), "2>/dev/null || true")

    def process(self, output: list[str]) -> str | None:
        """Its one line."""
        return output[0].strip() or None if output else None


def have_tree(
    source: SourceBuild, directory: str
) -> Generator[PyinfraCommand, None, str | Refusal]:
    """Have the tree in `source` below the directory; its commit, or why it could not be had."""
    known = host.get_fact(Tree, directory=directory)
    if known is not None:
        return known
    url = source_tree(source)
    if isinstance(url, Refusal):
        return url
    yield StringCommand("umask 022 && mkdir -p", QuoteString(directory))
    packed = f"{directory}/source.tar.gz"
    commit = yield from _fetched(source, url, packed)
    if isinstance(commit, Refusal):
        return commit
    tree = QuoteString(f"{directory}/source")
    yield StringCommand(
        "rm -rf --", tree, "&& umask 022 && mkdir", tree,
        "&& tar --extract --gzip --no-same-owner --strip-components=1 --file",
        QuoteString(packed), "--directory", tree, "&& rm -f --", QuoteString(packed),
        f"&& echo {commit} >", QuoteString(f"{directory}/commit"),
    )  # fmt: skip
    return commit


def _fetched(
    source: SourceBuild, url: str, packed: str
) -> Generator[PyinfraCommand, None, str | Refusal]:
    """Fetch the packed tree; the commit that its first directory names."""
    # the server tells neither size nor sum of what it packs on the fly; gzip's own sum has to do
    ask = Ask(
        "curl --config - --fail --location --max-redirs 5 --silent --show-error --retry 3"
        " --connect-timeout 20 --speed-limit 1 --speed-time 60 --output", QuoteString(packed),
        "&& gzip --test", QuoteString(packed), "&& tar --list --gzip --file", QuoteString(packed),
        "2>/dev/null | head -n 1",
        _stdin=curl_options(url, endpoints_for_host()), _timeout=FETCH_TIMEOUT_S,
    )  # fmt: skip
    yield ask
    top = TOP.fullmatch(ask.last_line)
    if not ask.succeeded or top is None:
        said = ask.said[-1].strip() if ask.said else f"it begins with {ask.last_line!r}"
        return Refusal(
            f"the source {source.ref} of {source.repository} could not be fetched from {url}"
            f" ({said})",
            "check that the host reaches it, or name a mirror with runtime_release_api_url or a"
            " proxy with proxy_url",
        )
    return top["commit"]
