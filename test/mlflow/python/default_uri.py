"""Prints the tracking URI that MLflow takes by default in a folder, and in one beside it that has an old mlruns."""

import os
import pathlib
import sys

import mlflow
from lab import tell

folder = pathlib.Path(sys.argv[1])
os.chdir(folder)
tell("default", uri=mlflow.get_tracking_uri())
mlflow.MlflowClient().create_experiment("made by MLflow")
old = folder / "old" / "mlruns" / "0"
old.mkdir(parents=True)
(old / "meta.yaml").touch()
os.chdir(folder / "old")
tell("old", uri=mlflow.get_tracking_uri())
