"""The plan of the host pyinfra is working on: facts of this moment, wishes, and what is resolved.

Called inside operation bodies, so a plan after the driver is made from the driver's numbers
(reference/pyinfra.md, section 5). The network is asked once per run, and only for what is missing
on the host: a converged host is planned from its own stamps.
"""

from __future__ import annotations

from dataclasses import replace

from pyinfra.context import host

from boxwright import facts, plan, supply
from boxwright.catalog import Catalog, CatalogError
from boxwright.machine import Machine
from boxwright.operation.choosing import catalog_for, chosen_for_host
from boxwright.operation.measured import measured_on_host
from boxwright.operation.options import endpoints_for_host, option
from boxwright.operation.recent import recently
from boxwright.plan.results import Plan, Refusal, RuntimePlan, SourceBuild
from boxwright.plan.wanted import Wanted, WantedError, wanted_from


def wanted_for_host() -> Wanted:
    """This host's wishes from its data; raises WantedError for a value that cannot be meant."""
    data = dict(host.data.dict())
    data["server_api_key_set"] = option("server_api_key_file") is not None
    return wanted_from(data)


SILENT = Refusal(
    "this host printed no machine report",
    "look at what a shell prints there: `ssh HOST 'echo hello'` has to print hello",
)
NO_SERVER = Refusal("the plan has no server", "report this with `boxwright plan --json`")


def machine_of_host() -> Machine:
    """The machine report of this moment; one of which nothing is known if there was none."""
    return recently(facts.Machine)


def is_silent(machine: Machine) -> bool:
    """Whether the host printed nothing, or nothing that is a report (which fails it by itself)."""
    return machine == facts.Machine.default()


def model_for_host() -> supply.ResolvedModel | Refusal:
    """The files and the shape of this host's model: from its own stamp, else from the Hub."""
    try:
        wanted = wanted_for_host()
        chosen = chosen_for_host(machine_of_host(), catalog_for(wanted), wanted)
    except (WantedError, CatalogError) as error:
        return Refusal(str(error), "correct the option in the inventory's data")
    return chosen if isinstance(chosen, Refusal) else chosen.model


def plan_for_host(with_records: bool = False, with_offers: bool = False) -> Plan:
    """Everything decided for this host, now; `refusal` says why not, if not.

    `with_records` asks the host also for what was measured there: it replaces what is predicted.
    `with_offers` adds what else the host's memory could be used for, which takes longer to find.
    """
    try:
        wanted = wanted_for_host()
        known_catalog = catalog_for(wanted)
    except (WantedError, CatalogError) as error:
        return Plan(refusal=Refusal(str(error), "correct the option in the inventory's data"))
    machine = machine_of_host()
    if is_silent(machine):
        return Plan(refusal=SILENT)
    chosen = chosen_for_host(machine, known_catalog, wanted)
    if isinstance(chosen, Refusal):
        return Plan(refusal=chosen)
    releases = recently(facts.Releases, directory=wanted.runtime_directory)
    known = plan.Known(
        files=chosen.model.files,
        commit=chosen.model.commit,
        shape=chosen.model.shape,
        flags_by_release={stamp.release: stamp.flags for stamp in releases.installed},
        bytes_on_host=chosen.stamps.bytes_of(chosen.choice.name, chosen.choice.quant),
        notes=chosen.notes,
    )
    made = _made(machine, known_catalog, chosen.wanted, known)
    measured = measured_on_host(made, machine) if with_records else None
    if measured is not None:
        known = replace(known, measured=measured)
        made = plan.make(machine, known_catalog, chosen.wanted, known)
    if not with_offers:
        return made
    return plan.with_offers(machine, known_catalog, chosen.wanted, known, made)


_last: dict[str, tuple[tuple[object, ...], Plan]] = {}


def _made(machine: Machine, known_catalog: Catalog, wanted: Wanted, known: plan.Known) -> Plan:
    """The plan; worked out anew only where what it rests on differs from this host's last time.

    Every body plans, and on a converged host they all plan from the same facts.
    """
    given = (machine, known_catalog, wanted, known)
    last = _last.get(host.name)
    if last is None or last[0] != given:
        last = _last[host.name] = (given, plan.make(machine, known_catalog, wanted, known))
    return last[1]


def release_assets(runtime: RuntimePlan) -> tuple[supply.ReleaseAsset, ...] | Refusal:
    """Where the files of a planned release are, with sizes and sha256; asked once per run."""
    found = supply.release_assets(runtime.build, runtime.assets, endpoints_for_host())
    if isinstance(found, supply.Failure):
        return Refusal(found.reason, found.cure)
    return found


def source_tree(source: SourceBuild) -> str | Refusal:
    """Where the packed tree of a build from source is; asked once per run."""
    found = supply.source_tree(source.repository, source.ref, endpoints_for_host())
    return Refusal(found.reason, found.cure) if isinstance(found, supply.Failure) else found
