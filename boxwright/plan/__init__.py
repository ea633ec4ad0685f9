"""Decides: (machine, catalog, wanted, known) → Plan. Pure: no I/O, no clock, no pyinfra."""

from __future__ import annotations

from boxwright.plan.better import note_on
from boxwright.plan.choose import settle
from boxwright.plan.estimate import estimated_shape
from boxwright.plan.hardware import hardware_digest, modules_digest
from boxwright.plan.known import Known, Measured, ModelChoice
from boxwright.plan.make import make
from boxwright.plan.model import choose_model
from boxwright.plan.offers import with_offers
from boxwright.plan.report import as_json
from boxwright.plan.results import Plan, Refusal
from boxwright.plan.server import args_digest
from boxwright.plan.wanted import Wanted

__all__ = [
    "Known",
    "Measured",
    "ModelChoice",
    "Plan",
    "Refusal",
    "Wanted",
    "args_digest",
    "as_json",
    "choose_model",
    "estimated_shape",
    "hardware_digest",
    "make",
    "modules_digest",
    "note_on",
    "settle",
    "with_offers",
]
