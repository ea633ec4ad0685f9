"""What is known beforehand: cards, drivers, CUDA toolkits, llama.cpp's releases, models."""

from __future__ import annotations

from boxwright.catalog.catalog import Catalog
from boxwright.catalog.errors import CatalogError
from boxwright.catalog.kind import NVIDIA, VENDORS, GpuKind
from boxwright.catalog.load import load, load_with
from boxwright.catalog.software import (
    AssetRow,
    FlagChange,
    Geometry,
    LlamaCpp,
    ModelFileRow,
    ModelRow,
    QuantRow,
)
from boxwright.catalog.speed import (
    GpuRow,
    HostMemoryRow,
    PowerConstants,
    ProcessorMemory,
    SpeedConstants,
)
from boxwright.catalog.toolkits import (
    BuildHost,
    Compiler,
    Redistributable,
    Toolkit,
    ToolkitOffer,
)
from boxwright.catalog.types import (
    Branch,
    Card,
    CardRule,
    ChipRange,
    ComputeCapability,
    Distribution,
    DriverPackages,
    DriverSource,
    ListedId,
)

__all__ = [
    "NVIDIA",
    "VENDORS",
    "AssetRow",
    "Branch",
    "BuildHost",
    "Card",
    "CardRule",
    "Catalog",
    "CatalogError",
    "ChipRange",
    "Compiler",
    "ComputeCapability",
    "Distribution",
    "DriverPackages",
    "DriverSource",
    "FlagChange",
    "Geometry",
    "GpuKind",
    "GpuRow",
    "HostMemoryRow",
    "ListedId",
    "LlamaCpp",
    "ModelFileRow",
    "ModelRow",
    "PowerConstants",
    "ProcessorMemory",
    "QuantRow",
    "Redistributable",
    "SpeedConstants",
    "Toolkit",
    "ToolkitOffer",
    "load",
    "load_with",
]
