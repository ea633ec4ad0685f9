"""The guests' way to Debian's archive: nginx as a caching forward proxy, with its own prefix."""

from __future__ import annotations

from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from tests.lab.world.fetch import MachineApt

RESOLV_CONF = Path("/etc/resolv.conf")
DATA = Path(__file__).parent / "data"


def nginx_configuration(prefix: Path, cache: Path, listen: str, apt: MachineApt) -> str:
    """The text of nginx.conf for this machine: its resolver, its mirror's scheme, its own proxy."""
    mirror = urlsplit(apt.debian_mirror)
    return Template((DATA / "nginx.conf").read_text()).substitute(
        prefix=prefix,
        cache=cache,
        listen=listen,
        resolvers=" ".join(_resolvers()),
        mirror_host=mirror.netloc,
        mirror_scheme=mirror.scheme,
        upstream=_upstream(apt.http_proxy),
    )


def _upstream(proxy: str | None) -> str:
    if proxy is None:
        return "proxy_pass $scheme_upstream://$http_host$request_uri;"
    # A proxy wants the whole URL; a rewrite to one in a single step would answer a redirect.
    steps = ('rewrite ^(.*)$ "://$http_host$1";', 'rewrite ^(.*)$ "http$1" break;')
    return "\n      ".join((*steps, f"proxy_pass {proxy.rstrip('/')};"))


def _resolvers() -> list[str]:
    lines = (line.split() for line in RESOLV_CONF.read_text().splitlines())
    found = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return [f"[{server}]" if ":" in server else server for server in found] or ["127.0.0.1"]
