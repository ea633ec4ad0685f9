"""Cards by what people call them: `Quadro P5000`, `p5000`, `3090ti`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from boxwright.catalog.catalog import Catalog
from boxwright.catalog.kind import marketing_name

BRANDS = frozenset({"geforce", "quadro", "tesla", "rtx", "gtx", "gt"})
Words = tuple[str, ...]


def devices_named(catalog: Catalog, text: str) -> tuple[int, ...]:
    """The device ids of the cards that a text names, in the order of their ids; () for none.

    The whole name wins, with or without its brand ("P5000"); else every card whose name has all of
    the words; else one that has the letters without the spaces ("3090ti"). Cards of the catalog go
    before those that only pci.ids has.
    """
    asked = _words(text)
    if not asked:
        return ()
    known = [(device, _words(card.name)) for device, card in sorted(catalog.cards.items())]
    listed: list[tuple[int, Words]] = []
    tests: Sequence[Callable[[Words, Words], bool]] = (_whole, _all_words, _letters)
    for test in tests:
        found = _passing(test, asked, known)
        if found:
            return found
        listed = listed or _listed(catalog)
        found = _passing(test, asked, listed)
        if found:
            return found
    return ()


def _listed(catalog: Catalog) -> list[tuple[int, Words]]:
    return [
        (device, _marketed(one.name))
        for device, one in sorted(catalog.listed.items())
        if one.display and device not in catalog.cards
    ]


def _passing(
    test: Callable[[Words, Words], bool], asked: Words, rows: list[tuple[int, Words]]
) -> tuple[int, ...]:
    return tuple(device for device, name in rows if name and test(asked, name))


@lru_cache(maxsize=8192)
def _words(text: str) -> Words:
    return tuple(word for word in re.findall(r"[a-z0-9]+", text.lower()) if word != "nvidia")


@lru_cache(maxsize=8192)
def _marketed(name: str) -> Words:
    return _words(marketing_name(name) or "")


def _whole(asked: Words, name: Words) -> bool:
    while not set(asked) <= BRANDS:
        if "".join(asked) == "".join(name):
            return True
        if len(name) < 2 or name[0] not in BRANDS:
            return False
        name = name[1:]
    return False


def _all_words(asked: Words, name: Words) -> bool:
    return set(asked) <= set(name)


def _letters(asked: Words, name: Words) -> bool:
    return len("".join(asked)) > 3 and "".join(asked) in "".join(name)
