"""What a host is and has: pyinfra facts of one round trip each, which decide nothing."""

from boxwright.facts.access import Access, AccessState
from boxwright.facts.bench import BENCH_PATH, BenchPoint, BenchRecord, BenchRecords
from boxwright.facts.decode import DECODE_PATH, DecodeRecord, DecodeRecords, is_speed
from boxwright.facts.fit import FIT_PATH, FitRecord, FitRecords, FitRow
from boxwright.facts.models import Models, ModelsState, ModelStamp, PresentFile, StampedFile
from boxwright.facts.probe import Machine
from boxwright.facts.releases import Releases, ReleasesState, ReleaseStamp
from boxwright.facts.service import PortOwner, Service, ServiceState

__all__ = [
    "BENCH_PATH",
    "DECODE_PATH",
    "FIT_PATH",
    "Access",
    "AccessState",
    "BenchPoint",
    "BenchRecord",
    "BenchRecords",
    "DecodeRecord",
    "DecodeRecords",
    "FitRecord",
    "FitRecords",
    "FitRow",
    "Machine",
    "ModelStamp",
    "Models",
    "ModelsState",
    "PortOwner",
    "PresentFile",
    "ReleaseStamp",
    "Releases",
    "ReleasesState",
    "Service",
    "ServiceState",
    "StampedFile",
    "is_speed",
]
