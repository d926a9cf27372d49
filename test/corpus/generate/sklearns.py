"""scikit-learn models by every serialisation that MLflow's flavour offers."""

import pickle

import cloudpickle
import joblib
import numpy as np
import skops.io
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

rng = np.random.default_rng(5)
x = rng.normal(size=(150, 5))
y = (x.sum(1) > 0).astype(int)


def small(into) -> None:
    words = [f"größe {i % 7} price {i % 11}" for i in range(60)]
    models = {
        "linear": LinearRegression().fit(x, y),
        "svc": SVC(probability=True).fit(x, y),
        "knn": KNeighborsClassifier().fit(x, y),
        "boosting": GradientBoostingRegressor(n_estimators=10).fit(x, y),
        "histogram": HistGradientBoostingClassifier(max_iter=5).fit(x, y),
        "isolation": IsolationForest(n_estimators=5).fit(x),
        "kmeans": KMeans(3, n_init=1).fit(x),
        "bayes": GaussianNB().fit(x, y),
        "text": make_pipeline(TfidfVectorizer(), SGDClassifier()).fit(words, [i % 2 for i in range(60)]),
        "columns": make_column_transformer((StandardScaler(), [0, 1]), (OneHotEncoder(), [2])).fit(np.round(x)),
        "network": MLPRegressor(hidden_layer_sizes=(20,), max_iter=5).fit(x, y),
    }
    for name, model in models.items():
        (into / f"{name}.pkl").write_bytes(pickle.dumps(model))
        (into / f"{name}.cloudpickle").write_bytes(cloudpickle.dumps(model))
        joblib.dump(model, into / f"{name}.joblib")
        skops.io.dump(model, into / f"{name}.skops")
    skops.io.dump(models["svc"], into / "deflated.skops", compression=8)
    (into / "model.pkl").write_bytes(pickle.dumps(models["svc"], 2))


def large(into) -> None:
    model = KNeighborsClassifier().fit(rng.normal(size=(30_000, 40)), rng.integers(0, 2, 30_000))
    skops.io.dump(model, into / "large.skops")
    joblib.dump(model, into / "large.joblib")
    (into / "large.pkl").write_bytes(pickle.dumps(model))
    (into / "large.cloudpickle").write_bytes(cloudpickle.dumps(model))
