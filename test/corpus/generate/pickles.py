"""Pickles of every protocol, by both of Python's picklers, cloudpickle and pickletools."""

import collections
import datetime
import decimal
import io
import pickle
import pickletools
import uuid

import cloudpickle
import numpy as np
import pandas as pd

rng = np.random.default_rng(5)


def _values():
    loop = {"name": "x"}
    loop["self"] = loop
    shared = list(range(300))
    return {
        "dict": {"a": 1, "größe": [1.5, None, True], "nested": {"t": (1, 2, 3, 4), "s": {1, 2}, "f": frozenset([1])}},
        "cycle": loop,
        "shared": [shared, shared, {"again": shared}],
        "numbers": [2**i for i in range(0, 3000, 97)] + [-1, -(2**70), 1e308, float("nan"), 0.1],
        "none": None,
        "empty": {},
        "text": "größe 価格 \ud83d\ude00 with .\nand newline." * 40,
        "library": [decimal.Decimal("1.5"), datetime.datetime(2026, 1, 1), uuid.UUID(int=5), collections.OrderedDict(a=1)],
        "array": rng.normal(size=(30, 20)),
        "frame": pd.DataFrame({"x": rng.normal(size=50), "s": [f"row {i}" for i in range(50)]}),
        "zeros": {"w": np.zeros((60, 80), "f4"), "b": b"\0" * 900},
    }


def small(into) -> None:
    for name, value in _values().items():
        for protocol in range(6):
            if name in ("none", "empty", "cycle", "shared", "library") and protocol in (1, 3):
                continue
            (into / f"{name}-{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
    value = _values()["dict"]
    for protocol in (0, 2, 4, 5):
        whole = pickle.dumps(value, protocol)
        (into / f"optimized-{protocol}.pkl").write_bytes(pickletools.optimize(whole))
        (into / f"python-pickler-{protocol}.pkl").write_bytes(pickle._dumps(value, protocol))
        (into / f"newline-after-{protocol}.pkl").write_bytes(whole + b"\n")
        (into / f"two-in-one-{protocol}.pickle").write_bytes(whole + pickle.dumps([1, 2, 3], protocol))
        if protocol >= 2:
            (into / f"bytes-after-{protocol}.pkl").write_bytes(whole + b"trailing bytes of another kind")
    many = [{"row": i, "text": f"value {i}", "weights": [i / 7, i / 11]} for i in range(1500)]
    for protocol in (2, 4):
        (into / f"frames-{protocol}.pkl").write_bytes(pickle.dumps(many, protocol))
    blobs = [rng.bytes(70_000), b"\0" * 66_000]
    (into / "large-bytes-4.pkl").write_bytes(pickle.dumps(blobs, 4))
    (into / "bytearray-5.pkl").write_bytes(pickle.dumps([bytearray(blobs[0]), "a" * 66_000], 5))
    buffer = io.BytesIO()
    fast = pickle.Pickler(buffer, 4)
    fast.fast = True
    fast.dump(_values()["library"])
    (into / "fast-4.pkl").write_bytes(buffer.getvalue())
    outside = []
    (into / "out-of-band-5.pkl").write_bytes(pickle.dumps(rng.normal(size=(40, 40)), 5, buffer_callback=outside.append))

    factor = 3
    (into / "function.cloudpickle").write_bytes(cloudpickle.dumps(lambda x: x * factor))

    class Model:
        def __init__(self):
            self.weights = rng.normal(size=40)

        def predict(self, data):
            return data @ self.weights

    for protocol in (2, 4, 5):
        (into / f"class-{protocol}.cloudpickle").write_bytes(cloudpickle.dumps(Model(), protocol))
    # As Python 2 wrote them: short strings of bytes, `L` after long numbers, classes by their old module.
    (into / "python2-2.pkl").write_bytes(b"\x80\x02}q\x00(U\x01aq\x01K\x01U\x01bq\x02]q\x03(\x8a\x05\x00\x00\x00\x00\x01L10L\ne\x75.")
    (into / "python2-0.pkl").write_bytes(b"(dp0\nS'a'\np1\nI1\nsS'b'\np2\n(lp3\nI2\naL10L\nas.")


def large(into) -> None:
    weights = rng.normal(size=(1300, 1000))
    rows = [{"row": i, "text": f"value {i}" * 9, "weights": [i / 7, i / 11]} for i in range(90_000)]
    for protocol in (0, 2, 3, 4, 5):
        if protocol != 0:
            (into / f"array-{protocol}.pkl").write_bytes(pickle.dumps({"w": weights, "zeros": np.zeros(90_000)}, protocol))
        (into / f"rows-{protocol}.pkl").write_bytes(pickle.dumps(rows, protocol))
    (into / "optimized-4.pkl").write_bytes(pickletools.optimize(pickle.dumps(rows[:25_000], 4)))
    frame = pd.DataFrame(rng.normal(size=(60_000, 20)), columns=[f"c{i}" for i in range(20)])
    frame.to_pickle(into / "frame.pkl")
