"""Makes an experiment: experiment.py NAME LOCATION. Needs MLFLOW_TRACKING_URI."""

import sys

import lab
import mlflow

lab.tell("made", experiment_id=mlflow.create_experiment(sys.argv[1], artifact_location=sys.argv[2]))
