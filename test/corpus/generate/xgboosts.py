"""XGBoost: JSON and UBJSON of every booster, categorical data, many classes, unicode names, early stopping."""

import warnings

import numpy as np
import pandas as pd
import xgboost as xgb

warnings.simplefilter("ignore")
rng = np.random.default_rng(5)
x = rng.normal(size=(200, 5))
y = (x.sum(1) > 0).astype(int)


def _train(rounds=8, data=None, **params):
    return xgb.train({"max_depth": 3, "seed": 0, **params}, data or xgb.DMatrix(x, y), rounds)


def small(into) -> None:
    names = ["größe", "価格", "a b", 'quote"d', "last"]
    frame = pd.DataFrame(x, columns=names)
    frame["kind"] = pd.Categorical(rng.choice(list("abcä"), 200))
    categorical = xgb.DMatrix(frame.drop(columns=['quote"d']), y, enable_categorical=True)
    models = {
        "binary": _train(objective="binary:logistic"),
        "regression": _train(),
        "linear": _train(booster="gblinear"),
        "dart": _train(booster="dart", rate_drop=0.3),
        "classes": xgb.train({"objective": "multi:softprob", "num_class": 4}, xgb.DMatrix(x, y + 2 * (x[:, 1] > 0)), 4),
        "categorical": _train(data=categorical),
        "names": _train(data=xgb.DMatrix(x, y, feature_names=names)),
        "no-rounds": _train(rounds=0),
        "stump": _train(rounds=1, max_depth=1),
        "quantiles": _train(rounds=3, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]),
        "vector": xgb.train({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, xgb.DMatrix(x, x[:, :2]), 3),
        "stopped": xgb.train({}, xgb.DMatrix(x, y), 9, evals=[(xgb.DMatrix(x, y), "e")], early_stopping_rounds=2, verbose_eval=False),
    }
    for name, model in models.items():
        model.set_attr(note="größe", empty="")
        for ending in ("json", "ubj"):
            model.save_model(into / f"{name}.{ending}")
    wrapper = xgb.XGBClassifier(n_estimators=5, max_depth=2).fit(x, y)
    wrapper.save_model(into / "wrapper.json")
    wrapper.save_model(into / "wrapper.ubj")
    (into / "model.xgb").write_bytes(models["binary"].save_raw())
    (into / "raw.bst").write_bytes(models["binary"].save_raw("json"))
    (into / "config.json").write_text(models["binary"].save_config())
    models["binary"].dump_model(into / "dump.json", dump_format="json")


def large(into) -> None:
    big = xgb.DMatrix(rng.normal(size=(30_000, 10)), rng.normal(size=30_000))
    model = xgb.train({"max_depth": 12}, big, 40)
    model.save_model(into / "large.json")
    model.save_model(into / "large.ubj")
