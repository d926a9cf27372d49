"""Logs one of each thing that a tracking store holds, and prints their ids as an event."""

import pathlib
import tempfile

import mlflow
from lab import Sizes, tell
from mlflow import MlflowClient

three = not mlflow.__version__.startswith("2.")
mlflow.set_experiment("one of each")
with mlflow.start_run() as run, tempfile.TemporaryDirectory() as scratch:
    data = pathlib.Path(scratch, "data.bin")
    data.write_bytes(b"x" * 3000)
    mlflow.log_artifact(str(data), "plain")
    client = MlflowClient()
    for at, value in ((1_700_000_000_000, 0.5), (1_700_000_100_000, 0.4)):
        client.log_metric(run.info.run_id, "train/loss", value, timestamp=at, step=at % 7)
    client.log_metric(run.info.run_id, "rows", 3, timestamp=1_600_000_000_000)
    model = {"python_model": Sizes(), "artifacts": {"data": str(data)}, "pip_requirements": []}
    named = {"name": "finished"} if three else {"artifact_path": "finished"}
    logged = mlflow.pyfunc.log_model(**named, **model, registered_model_name="registered one")
    ids = {"run": run.info.run_id, "experiment": run.info.experiment_id, "runUri": run.info.artifact_uri}
    if three:
        ids["ready"] = logged.model_id
        ids["pending"] = mlflow.initialize_logged_model(name="unfinished").model_id
    with mlflow.start_run(nested=True) as child:
        ids["child"] = child.info.run_id
if three:
    ids["outside"] = mlflow.initialize_logged_model(name="of no run", source_run_id=None).model_id
client.set_registered_model_alias("registered one", "champion", 1)
client.create_model_version("registered one", f"runs:/{ids['run']}/plain", run_id=ids["run"])
client.create_experiment("thrown away")
client.delete_experiment(client.get_experiment_by_name("thrown away").experiment_id)
tell("logged", **ids)
