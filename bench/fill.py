"""Fills the folder of a bucket of versitygw with small objects, laid out as MLflow lays artifacts out.

fill.py FOLDER OBJECTS EXPERIMENTS

Written to disk directly, with the attribute in which versitygw keeps an ETag: a hundred times faster than PUT requests.
Each experiment has one logged model; the rest are artifacts of runs, a hundred each.
"""

import hashlib
import os
import sys

folder, objects, experiments = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PER_RUN = 100
MODEL = {
    "MLmodel": "artifact_path: model\nflavors:\n  python_function:\n    env:\n      conda: conda.yaml\n"
    "      virtualenv: python_env.yaml\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n"
    "    python_version: 3.11.7\n  sklearn:\n    code: null\n    pickled_model: model.pkl\n"
    "    serialization_format: cloudpickle\n    sklearn_version: 1.5.0\nmlflow_version: 3.17.2\n",
    "conda.yaml": "dependencies:\n- python=3.11.7\n",
    "python_env.yaml": "python: 3.11.7\n",
    "requirements.txt": "scikit-learn==1.5.0\n",
    # A pickle of None, protocol 4.
    "model.pkl": b"\x80\x04N.",
}


def hex_id(*parts):
    return hashlib.md5("/".join(map(str, parts)).encode()).hexdigest()


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(file, data)
    os.setxattr(file, "user.etag", hashlib.md5(data).hexdigest().encode())
    os.close(file)


for experiment in range(1, experiments + 1):
    left = objects // experiments
    model = os.path.join(folder, str(experiment), "models", f"m-{hex_id('model', experiment)}", "artifacts")
    os.makedirs(model)
    for name, content in MODEL.items():
        write(os.path.join(model, name), content)
    left -= len(MODEL)
    for run in range(-(-left // PER_RUN)):
        artifacts = os.path.join(folder, str(experiment), hex_id("run", experiment, run), "artifacts")
        for sub in ("metrics", "predictions"):
            os.makedirs(os.path.join(artifacts, sub))
        for index in range(min(PER_RUN, left)):
            name = f"metrics/epoch-{index:04}.json" if index % 2 else f"predictions/batch-{index:04}.csv"
            write(os.path.join(artifacts, name), f"{index},{run}\n")
        left -= min(PER_RUN, left)
