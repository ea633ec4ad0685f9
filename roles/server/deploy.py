"""The server role: which operations, in which order."""

from pyinfra.api import deploy

from roles.server import answers, operations, proofs, rehearsal
from roles.server.defaults import DEFAULTS


@deploy("Server", data_defaults=DEFAULTS)
def rehearse() -> None:
    """Have the installed build measure the model on its headers, before it is fetched."""
    rehearsal.rehearse(name="Prove that the model will fit")


@deploy("Server", data_defaults=DEFAULTS)
def serve() -> None:
    """Have the service running what is planned, healthy, resident and measured."""
    operations.write_api_key(name="Write the API key")
    operations.write_unit(name="Write the unit and its drop-ins")
    operations.start_service(name="Start the service if what runs is stale")
    answers.wait_until_healthy(name="Wait until the server is healthy")
    proofs.prove_key(name="Prove that the key is the service's alone")
    proofs.prove_service(name="Prove that the service runs what is planned")
    proofs.prove_residence(name="Prove that the weights are resident")
    answers.record_decode(name="Measure one completion")


@deploy("Server", data_defaults=DEFAULTS)
def verify() -> None:
    """Prove the service; change nothing."""
    proofs.prove_key(name="Prove that the key is the service's alone")
    proofs.prove_service(name="Prove that the service runs what is planned")
    proofs.prove_residence(name="Prove that the weights are resident")
