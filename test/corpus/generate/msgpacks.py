"""MessagePack as flax and spaCy write it: arrays in extension types, deep and wide maps, long strings, empty ones."""

import datetime

import msgpack
import numpy as np

rng = np.random.default_rng(5)


def _flax(array):
    """flax.serialization: (shape, dtype, bytes) packed into extension type 1."""
    return msgpack.ExtType(1, msgpack.packb((array.shape, array.dtype.name, array.tobytes()), use_bin_type=True))


def _params(size):
    return {"params": {f"Dense_{i}": {"kernel": _flax(rng.normal(size=(size, size)).astype("f4")), "bias": _flax(np.zeros(size, "f4"))} for i in range(3)}}


def small(into) -> None:
    values = {
        "flax": _params(20),
        "flax-empty": {},
        "zeros": {"embedding": _flax(np.zeros((90, 16), "f4"))},
        "step": {"step": 3, "params": {}, "opt_state": {"0": None, "1": {"mu": _flax(np.ones(4))}}},
        "numbers": [0, -1, 127, 128, 255, 256, 65_535, 65_536, 2**40, -(2**40), 0.5, True, None],
        "texts": ["", "größe" * 5, "x" * 40, "y" * 300, "z" * 70_000],
        "wide": {f"layer{i}": i for i in range(20_000)},
        "bytes": [b"", b"a" * 40, bytes(300), bytes(66_000)],
        "extensions": [msgpack.ExtType(5, bytes(n)) for n in (0, 1, 2, 4, 8, 16, 17, 300)],
    }
    for name, value in values.items():
        (into / f"{name}.msgpack").write_bytes(msgpack.packb(value, use_bin_type=True))
    (into / "old-raw.msgpack").write_bytes(msgpack.packb(values["texts"], use_bin_type=False))
    (into / "single.msgpack").write_bytes(msgpack.packb({"f": 1.5}, use_single_float=True))
    (into / "time.msgpack").write_bytes(msgpack.packb(datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), datetime=True))
    deep = 1
    for _ in range(400):
        deep = [deep]
    (into / "deep.msgpack").write_bytes(msgpack.packb(deep))
    spacy = into / "spacy" / "ner"
    spacy.mkdir(parents=True)
    (spacy / "cfg").write_text('{\n  "moves":null,\n  "beam_width":1\n}')
    (spacy / "moves").write_bytes(msgpack.packb({"moves": "{}", "strings": ["ä"]}))
    (spacy / "model").write_bytes(msgpack.packb({"nodes": [{"name": "n"}], "attrs": [{}], "params": [{"W": _flax(np.ones((5, 5), "f4"))}], "shims": []}))


def large(into) -> None:
    (into / "large.msgpack").write_bytes(msgpack.packb(_params(900), use_bin_type=True))
    (into / "wide.msgpack").write_bytes(msgpack.packb({f"layer{i}": {"w": i / 7, "n": [i]} for i in range(400_000)}))
