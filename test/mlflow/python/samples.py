"""Writes the MLmodel files of test/mlflow/samples by really saving models. Run by hand: samples.py OUTPUT, in a fresh folder.

Each flavor whose package is not installed is passed over.
"""

import importlib
import pathlib
import shutil
import sys
import tempfile

import mlflow
import numpy as np
import pandas as pd

out = pathlib.Path(sys.argv[1])
version = mlflow.__version__
pathlib.Path("agent.py").write_text(
    "import mlflow\n\n\nclass Echo(mlflow.pyfunc.PythonModel):\n    def predict(self, context, model_input, params=None):\n"
    "        return model_input\n\n\nmlflow.models.set_model(Echo())\n"
)
pathlib.Path("loader.py").write_text("def _load_pyfunc(path):\n    return None\n")
pathlib.Path("config.yml").write_text("a: 1\n")
pathlib.Path("weights.bin").write_bytes(b"x" * 3000)
pathlib.Path("table").mkdir(exist_ok=True)
pathlib.Path("table/part-0").write_text("1\n")


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


def pyfunc_artifacts(to):
    artifacts = {"weights": "weights.bin", "table": "table"}
    mlflow.pyfunc.save_model(to, python_model=Echo(), artifacts=artifacts, code_paths=["loader.py"])


def pyfunc_from_code(to):
    mlflow.pyfunc.save_model(to, python_model="agent.py", model_config="config.yml", artifacts={"weights": "weights.bin"})


def pyfunc_loader(to):
    mlflow.pyfunc.save_model(to, loader_module="loader", data_path="table", code_paths=["loader.py"])


def line():
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(np.array([[1.0], [2.0]]), np.array([1.0, 2.0]))


def sklearn(to):
    mlflow.sklearn.save_model(line(), to, input_example=pd.DataFrame({"a": [1.0]}))


def sklearn_extra_files(to):
    options = {"extra_files": ["weights.bin"]} if version.startswith("3") else {}
    mlflow.sklearn.save_model(line(), to, serialization_format="cloudpickle", code_paths=["loader.py"], **options)


def lightgbm(to):
    import lightgbm as lgb

    data = lgb.Dataset(np.array([[float(i)] for i in range(50)]), label=np.arange(50.0))
    mlflow.lightgbm.save_model(lgb.train({"verbose": -1}, data, num_boost_round=1), to)


def statsmodels(to):
    import statsmodels.api as sm

    mlflow.statsmodels.save_model(sm.OLS(np.array([1.0, 2.0, 3.0]), np.ones((3, 1))).fit(), to)


def onnx(to):
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    mlflow.onnx.save_model(helper.make_model(graph), to)


def openai(to):
    mlflow.openai.save_model(model="gpt-4o-mini", task="chat.completions", path=to, messages=[{"role": "user", "content": "{x}"}])


def spacy(to):
    import spacy

    mlflow.spacy.save_model(spacy.blank("en"), to)


for make in [pyfunc_artifacts, pyfunc_from_code, pyfunc_loader, sklearn, sklearn_extra_files, lightgbm, statsmodels, onnx, openai, spacy]:
    name = make.__name__.replace("_", "-")
    needs = name.split("-")[0]
    if needs != "pyfunc" and importlib.util.find_spec(needs) is None:
        continue
    with tempfile.TemporaryDirectory() as scratch:
        model = pathlib.Path(scratch, "model")
        try:
            make(str(model))
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        shutil.copy(model / "MLmodel", out / f"{name}-{version}.yaml")
        files = sorted(p.relative_to(model).as_posix() for p in model.rglob("*") if p.is_file())
        (out / f"{name}-{version}.files").write_text("".join(f"{(model / f).stat().st_size} {f}\n" for f in files))
