"""CatBoost: its own binary form and its exports."""

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor

rng = np.random.default_rng(5)
x = rng.normal(size=(200, 4))
y = (x.sum(1) > 0).astype(int)
options = {"iterations": 8, "depth": 3, "verbose": False, "allow_writing_files": False, "random_seed": 1}


def small(into) -> None:
    frame = pd.DataFrame(x, columns=["größe", "b", "c", "d"])
    frame["kind"] = rng.choice(["ä", "b", "c"], 200)
    frame["city"] = rng.choice(["x", "y", "z", "w"], 200)
    words = frame.assign(text=[f"word{i % 5} größe {i % 3}" for i in range(200)])
    models = {
        "numbers": CatBoostClassifier(**options).fit(x, y),
        "regression": CatBoostRegressor(**options).fit(x, x[:, 0]),
        "categories": CatBoostClassifier(**options, cat_features=["kind", "city"]).fit(frame, y),
        "combinations": CatBoostClassifier(**options, cat_features=["kind", "city"], max_ctr_complexity=3, simple_ctr=["Borders", "Counter"]).fit(frame, y),
        "text": CatBoostClassifier(**options, cat_features=["kind", "city"], text_features=["text"]).fit(words, y),
        "classes": CatBoostClassifier(**options, loss_function="MultiClass").fit(x, y + (x[:, 1] > 0)),
        "lossguide": CatBoostRegressor(**{**options, "depth": 6}, grow_policy="Lossguide").fit(x, y),
        "one-tree": CatBoostRegressor(**{**options, "iterations": 1}).fit(x, y),
    }
    for name, model in models.items():
        model.save_model(str(into / f"{name}.cbm"))
        if name not in ("text",):
            model.save_model(str(into / f"{name}.json"), format="json")
    models["numbers"].save_model(str(into / "export.onnx"), format="onnx")
    models["numbers"].save_model(str(into / "export.mlmodel"), format="coreml")


def large(into) -> None:
    many = {**options, "iterations": 600, "depth": 9, "thread_count": 1}
    CatBoostRegressor(**many).fit(rng.normal(size=(4000, 6)), rng.normal(size=4000)).save_model(str(into / "large.cbm"))
    data = pd.DataFrame({"a": [f"k{i}" for i in rng.integers(0, 9000, 20_000)], "b": rng.normal(size=20_000)})
    CatBoostRegressor(**{**options, "iterations": 30}, cat_features=["a"]).fit(data, data["b"]).save_model(str(into / "categories.cbm"))
