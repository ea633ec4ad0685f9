"""What the kernel's log says of NVIDIA's driver, in sentences; pure.

The texts are those of reference/nvidia.md, section 2, and of NVIDIA's published module source
(osapi.c, nv.c). The driver wraps them over several `NVRM:` lines, so lines are joined first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

NVRM = re.compile(r"^.*?NVRM:\s*(?P<text>.*)$")
CARD = r"(?P<card>[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)"
INSTALLED = rf"The NVIDIA GPU {CARD} (?:\(PCI ID: (?P<id>[0-9a-f:]+)\) )?installed in this system"

# Each is looked for everywhere in the joined text; the names of its groups are its sentence's.
TEXTS = (
    (
        rf"{INSTALLED} requires use of the NVIDIA open kernel modules",
        "card {card} needs the open kernel modules, and the proprietary ones are loaded",
    ),
    (
        rf"{INSTALLED} is not supported by open nvidia\.ko because it does not include the required"
        r" GPU System Processor",
        "card {card} has no GPU System Processor (GSP), which the open kernel modules that are"
        " loaded need; it works with the proprietary ones",
    ),
    (
        r"The NVIDIA (?P<name>[^.]{1,80}?) GPU installed in this system is supported through the"
        r" NVIDIA (?P<branch>[\d.x]+) Legacy drivers",
        "the {name} is served by driver branch {branch} at most, and the loaded driver ignores it",
    ),
    (
        rf"{INSTALLED} is not supported by the (?:NVIDIA )?(?P<version>\d[\d.]*\d)"
        r"(?: NVIDIA Linux)? driver release",
        "driver {version} does not support card {card}",
    ),
    (
        rf"{INSTALLED} has fallen off the bus",
        "card {card} has fallen off the bus: it does not answer any more (look at its power plugs,"
        " its slot or riser, and its temperature)",
    ),
    (
        r"Xid \(PCI:(?P<card>[0-9a-f:]+)\): 79,",
        "card {card} has fallen off the bus while it worked (look at its power plugs, its slot or"
        " riser, and its temperature)",
    ),
    (
        r"BAR(?P<bar>\d) is 0M @ 0x0 \(PCI:(?P<card>[0-9a-f:.]+)\)",
        "the firmware gave card {card} no room for its memory window (BAR{bar}): switch on Above 4G"
        " Decoding in the firmware's setup",
    ),
    (
        r"API mismatch: the client (?:'[^']*' \(pid \d+\) )?has the version (?P<client>\d[\d.]*\d),"
        r" but this kernel module has the version (?P<module>\d[\d.]*\d)",
        "the libraries are of version {client}, the loaded module is of {module}; they have to be"
        " one, which a reboot brings about",
    ),
    (
        r"such as: (?:NVRM: )?nouveau, rivafb, nvidiafb or rivatv was loaded",
        "another driver, such as nouveau, had taken a card before NVIDIA's could",
    ),
)
FAILED = re.compile(rf"GPU {CARD}: RmInitAdapter failed! \((?P<code>[^)]*)\)")
REJECTED = re.compile(
    r"[Kk]ey was rejected by service|module with unavailable key is rejected"
    r"|unsigned module loading is restricted|Required key not available"
)
UNSIGNED = "module verification failed"
BENIGN = re.compile(rf"{UNSIGNED}|loading NVIDIA UNIX|taints? kernel|tainting kernel")
WITHOUT_KNOWN_TEXT = 2  # of the last lines, where none of the texts is known


def told_by_kernel(lines: Sequence[str], secure_boot: bool | None) -> tuple[str, ...]:
    """Sentences for what the log says, each once; the last raw lines where no text is known.

    A failed verification of the module is told only where Secure Boot is on: elsewhere it is only
    a mark on the kernel (reference/nvidia.md, section 5).
    """
    text = " ".join(_joined(lines))
    sentences = list(dict.fromkeys(_known(text)))
    sentences += [
        f"card {found['card']} could not be initialised (RmInitAdapter failed, {found['code']})"
        for found in {one["card"]: one for one in FAILED.finditer(text)}.values()
        if not any(found["card"] in sentence for sentence in sentences)
    ]
    plain = "\n".join(lines)
    if REJECTED.search(plain) or (secure_boot and UNSIGNED in plain):
        sentences.append(
            "the kernel does not accept the module's signature: Secure Boot is on, and the key it"
            " was signed with is not enrolled"
        )
    return tuple(sentences) or _raw(lines)


def _joined(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        found = NVRM.match(line)
        if found is not None:
            yield " ".join(found["text"].split())


def _known(text: str) -> Iterator[str]:
    for pattern, sentence in TEXTS:
        for found in re.finditer(pattern, text):
            yield sentence.format(**found.groupdict())


def _raw(lines: Sequence[str]) -> tuple[str, ...]:
    telling = [line.strip() for line in lines if line.strip() and not BENIGN.search(line)]
    return tuple(telling[-WITHOUT_KNOWN_TEXT:])
