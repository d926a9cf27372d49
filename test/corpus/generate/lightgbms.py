"""LightGBM's text files, with and without the line that the Python package adds; also by old versions, where LIGHTGBM_OLD tells where."""

import os
import subprocess
import sys

import numpy as np

rng = np.random.default_rng(5)
x = rng.normal(size=(300, 5))
y = (x.sum(1) > 0).astype(int)

OLD = """
import sys, numpy as np, lightgbm as lgb
rng = np.random.default_rng(5); x = rng.normal(size=(300, 5)); y = (x.sum(1) > 0).astype(int)
model = lgb.train({"objective": "binary", "num_leaves": 7, "verbose": -1}, lgb.Dataset(x, y), 6)
model.save_model(sys.argv[1] + f"/version-{lgb.__version__}.txt")
open(sys.argv[1] + f"/version-{lgb.__version__}-string.txt", "w").write(model.model_to_string())
"""


def small(into) -> None:
    import lightgbm as lgb
    import pandas as pd

    def train(data=None, rounds=6, **params):
        return lgb.train({"num_leaves": 7, "verbose": -1, "seed": 0, **params}, data or lgb.Dataset(x, y), rounds)

    frame = pd.DataFrame(x, columns=["größe", "価格", "c", "d", "e"]).round(1)
    frame["kind"] = pd.Categorical(rng.choice(["ä", "b,c", "d]"], 300))
    models = {
        "binary": train(objective="binary"),
        "classes": lgb.train({"objective": "multiclass", "num_class": 3, "num_leaves": 5, "verbose": -1}, lgb.Dataset(x, y + (x[:, 1] > 0)), 3),
        "forest": train(boosting="rf", bagging_freq=1, bagging_fraction=0.6),
        "dart": train(boosting="dart"),
        "linear": train(linear_tree=True),
        "categorical": train(data=lgb.Dataset(frame, y)),
        "one": train(rounds=1),
        "constant": lgb.train({"verbose": -1, "min_data_in_leaf": 1000}, lgb.Dataset(x, y), 3),
        "quantile": train(objective="quantile", alpha=0.3),
    }
    for name, model in models.items():
        model.save_model(into / f"{name}.txt")
        (into / f"{name}-string.txt").write_text(model.model_to_string())
    models["binary"].save_model(into / "model.lgb", num_iteration=2)
    text = models["binary"].model_to_string()
    (into / "without-pandas-line.txt").write_text(text[: text.rindex("pandas_categorical")])
    lgb.LGBMClassifier(n_estimators=4, verbose=-1).fit(x, y).booster_.save_model(into / "wrapper.txt")
    for place in filter(None, os.environ.get("LIGHTGBM_OLD", "").split(":")):
        done = subprocess.run([sys.executable, "-c", OLD, into], env={**os.environ, "PYTHONPATH": place})
        if done.returncode != 0:
            print(f"{place} wrote nothing")


def large(into) -> None:
    import lightgbm as lgb

    data = lgb.Dataset(rng.normal(size=(20_000, 10)), rng.normal(size=20_000))
    lgb.train({"num_leaves": 127, "verbose": -1}, data, 150).save_model(into / "large.txt")
