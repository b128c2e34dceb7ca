"""A packed network in MLflow's model registry, ready for `mlflow models serve`."""

from __future__ import annotations

import os
from pathlib import Path

from scangen_bundle.runs.store import connect, experiment_id
from scangen_bundle.share.export import load_exported

PACKAGE = Path(__file__).resolve().parents[1]
CODE = Path(__file__).with_name("served_model.py")
EXPERIMENT = "scangen"  # of the trainings, see configs/train.yaml


def log_served_model(network: str | os.PathLike[str], tracking_uri: str, name: str | None = None) -> str:
    """Log the exported network as a pyfunc model.

    Args:
        network: the `.ts` that `scangen pack` wrote.
        tracking_uri: of the MLflow store.
        name: also make it a version of this registered model.

    Returns:
        The model's address, for `mlflow models serve -m`.

    Raises:
        InputError: the file is no exported network, or the store fails.
    """
    client = connect(tracking_uri)
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    _, metadata, _ = load_exported(network)
    inputs = Schema(
        [ColSpec(DataType.string, "path", required=False), ColSpec(DataType.binary, "content", required=False)]
    )
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment(experiment_id=experiment_id(client, tracking_uri, EXPERIMENT))
    with mlflow.start_run(run_name="package", tags={"use": "research only"}):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(CODE),
            artifacts={"network": str(network)},
            code_paths=[str(PACKAGE)],
            signature=ModelSignature(inputs=inputs),
            registered_model_name=name,
            pip_requirements=str(PACKAGE.parent / "requirements.txt"),
            metadata={key: metadata[key] for key in ("version", "commit", "encoder", "notice")},
        )
    return str(logged.model_uri)
