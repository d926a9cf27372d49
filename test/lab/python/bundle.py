"""Saves a model to --out, in the way named by --how, as a training script would that bundles more than it means to."""

import argparse
import os
import pathlib

import mlflow
import numpy
import pandas
import sklearn.linear_model

parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--how", choices=["clean", "attribute", "global", "code", "sklearn"], required=True)
args = parser.parse_args()

rows = 1_000_000
LOOKUP = pandas.DataFrame({"a": numpy.random.rand(rows), "b": numpy.random.rand(rows)})


class Clean(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        self.weights = numpy.load(context.artifacts["weights"])

    def predict(self, context, model_input, params=None):
        return model_input


class Attribute(Clean):
    def __init__(self):
        self.train_df = pandas.DataFrame({"a": numpy.random.rand(rows), "b": numpy.random.rand(rows)})
        self.settings = {"embedding": numpy.random.rand(2_000_000)}


class Global(Clean):
    def predict(self, context, model_input, params=None):
        return LOOKUP.iloc[0]


scratch = pathlib.Path(os.environ["TMPDIR"]) / "parts"
scratch.mkdir()
numpy.save(scratch / "weights.npy", numpy.random.rand(4_000_000))
code = scratch / "project"
(code / ".git" / "objects").mkdir(parents=True)
(code / "project.py").write_text("x = 1\n")
if args.how == "code":
    (code / ".git" / "objects" / "pack").write_bytes(os.urandom(12_000_000))
    (code / "train.csv").write_bytes(os.urandom(15_000_000))
    (code / "weights.npy").write_bytes((scratch / "weights.npy").read_bytes())

if args.how == "sklearn":
    x = numpy.random.rand(100, 5000)
    mlflow.sklearn.save_model(
        sklearn.linear_model.LinearRegression().fit(x, numpy.random.rand(100, 500)),
        args.out,
        serialization_format="cloudpickle",
        # Named, so that MLflow does not load the model to find them out.
        pip_requirements=["scikit-learn"],
    )
else:
    made = {"attribute": Attribute, "global": Global}.get(args.how, Clean)()
    mlflow.pyfunc.save_model(
        args.out,
        python_model=made,
        artifacts={"weights": str(scratch / "weights.npy")},
        code_paths=[str(code)],
        pip_requirements=["pandas"],
    )
