"""safetensors: every dtype that the library writes, empty and zero tensors, metadata alone, long and padded headers, shards."""

import json
import struct

import numpy as np
from safetensors import TensorSpec, serialize_file
from safetensors import numpy as st

rng = np.random.default_rng(5)


def _by_hand(path, header: bytes, body: bytes) -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)


def small(into) -> None:
    layer = {f"layer.{i}.weight": rng.normal(size=(17, 9)).astype("f4") for i in range(6)}
    st.save_file(layer, into / "layers.safetensors", metadata={"format": "pt", "größe": "価格"})
    st.save_file({}, into / "empty.safetensors")
    st.save_file({}, into / "metadata-only.safetensors", metadata={"format": "np"})
    for kind in ("?", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"):
        st.save_file({"w": np.ones((5, 7), kind)}, into / f"kind-{np.dtype(kind).name}.safetensors")
    st.save_file({"scalar": np.array(3.5), "none": np.zeros((0, 768), "f4")}, into / "scalar-and-none.safetensors")
    st.save_file({"none": np.zeros((0, 768), "f4")}, into / "only-none.safetensors")
    st.save_file({"embedding": np.zeros((500, 16), "f4"), "padding": np.zeros(3)}, into / "zeros.safetensors")
    st.save_file({"größe/価格": np.ones(3), "a b%20": np.ones(2)}, into / "names.safetensors")
    st.save_file({f"blocks.{i}.attention.query.weight": np.ones(1, "i1") for i in range(1500)}, into / "long-header.safetensors")
    for kind, size in {"bfloat16": 48, "float8_e4m3fn": 24, "float8_e5m2": 24, "float8_e8m0fnu": 24, "float4_e2m1fn_x2": 24, "complex64": 192}.items():
        data = np.frombuffer(rng.bytes(size), "u1")
        spec = TensorSpec(dtype=kind, shape=[6, 4], data_ptr=data.ctypes.data, data_len=size)
        serialize_file({"w": spec}, into / f"kind-{kind}.safetensors", {"format": "pt"})
    spaced = json.dumps({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    _by_hand(into / "padded-header.safetensors", spaced + b" " * (256 - len(spaced)), rng.bytes(16))
    unordered = {"b": {"dtype": "I8", "shape": [4], "data_offsets": [4, 8]}, "a": {"dtype": "I8", "shape": [4], "data_offsets": [0, 4]}}
    _by_hand(into / "unordered.safetensors", json.dumps(unordered).encode(), rng.bytes(8))
    shards = into / "shards"
    shards.mkdir()
    places = {}
    for k in (1, 2):
        part = {f"h.{i}.w": rng.normal(size=(8, 8)).astype("f4") for i in range(4 * k, 4 * k + 4)}
        name = f"model-0000{k}-of-00002.safetensors"
        st.save_file(part, shards / name, metadata={"format": "pt"})
        places.update(dict.fromkeys(part, name))
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def large(into) -> None:
    st.save_file({f"l{i}": rng.normal(size=(1024, 700)).astype("f4") for i in range(6)}, into / "layers.safetensors")
    w = np.zeros((27_000, 1024), "f4")
    w[:9000] = 1.25
    st.save_file({"embedding": w, "bias": np.ones(5, "f4")}, into / "over-100-mib.safetensors")
    st.save_file({f"blocks.{i}.attention.query.weight": np.ones(9, "f4") for i in range(60_000)}, into / "huge-header.safetensors")
