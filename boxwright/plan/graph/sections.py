"""What a section of a graph is: one for each layer, and those of layers that are alike are equal.

What is found out about a section then holds for every one that is equal to it, and the layers of a
run need to be built only twice (see `repeat`). Sections tell which tensors they read of others by
the distance to those, and where weights lie by the part of the model that they belong to.
"""

from __future__ import annotations

from typing import NamedTuple

from boxwright.plan.graph.tensors import Kind, Shape

NOTHING = -1
LOOKS = 1 << 20  # from here on numbers are those of sources that are no nodes or leaves
# homes as numbers: the host, the output's device, then device, experts and cache of each layer
HOST_HOME, OUTPUT_HOME, FIRST_HOME, PARTS = 0, 1, 2, 3

Look = tuple[Shape, Shape, Kind]


class Home(NamedTuple):
    """Where weights and caches lie: `part` of a layer, which is told by its number or, if `back`,
    by how many layers before the section's own; a `part` of NOTHING is HOST_HOME or OUTPUT_HOME."""

    part: int
    layer: int
    back: bool


class Ref(NamedTuple):
    """A tensor of a section that is told by number or, if `back`, by distance.

    Nodes are counted from the section's last one, since the first ones may still be of the layer
    before, which in a run's first section is another one than in those after. Leaves are below 0.
    """

    section: int
    back: bool
    tensor: int


class Source(NamedTuple):
    """What a node reads.

    `tensor` owns the memory: a node of the section, above those an external; NOTHING is a weight
    or a cache. `lies` is the tensor in whose place the source lies, unless `home` tells it. `bytes`
    are those of a copy. Sources have a `number` each; what another section has read before is told
    by `shared`, and views are not `plain`.
    """

    tensor: int
    lies: int
    home: int
    weight: bool
    plain: bool
    bytes: int
    look: Look
    number: int
    shared: Ref | None


class Node(NamedTuple):
    """One operation: `home` draws it there, `root` is the tensor into which it writes."""

    takes_over: bool
    shows: bool
    kept: bool
    root: int
    home: int
    bytes: int
    look: Look
    sources: tuple[Source, ...]


class Leaf(NamedTuple):
    """Memory that is given out before anything is computed; inputs are on the host, others lie
    where node `reader` reads them."""

    input: bool
    bytes: int
    reader: int


class Section(NamedTuple):
    """Consecutive nodes, and all that they have to do with others."""

    nodes: tuple[Node, ...]
    leaves: tuple[Leaf, ...]
    externals: tuple[Ref, ...]
    homes: tuple[Home, ...]
