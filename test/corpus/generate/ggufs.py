"""GGUF by llama.cpp's own writer: value types, quantised tensors, alignment, vocabulary alone, big-endian."""

import numpy as np
from gguf import GGMLQuantizationType as Q
from gguf import GGUFEndian, GGUFWriter, quants

rng = np.random.default_rng(5)


def _finish(writer) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _described(path, **more):
    writer = GGUFWriter(path, "llama", **more)
    writer.add_name("größe 価格")
    writer.add_block_count(2)
    writer.add_float32("a.float", 0.5)
    writer.add_bool("a.bool", True)
    writer.add_array("a.numbers", list(range(20)))
    return writer


def small(into) -> None:
    w = rng.normal(size=(8, 256)).astype("f4")
    writer = _described(into / "plain.gguf")
    writer.add_tensor("f32", w)
    writer.add_tensor("f16", w.astype("f2"))
    writer.add_tensor("one", np.array([1.5], "f4"))
    writer.add_tensor("i8", np.arange(7, dtype="i1"))
    writer.add_tensor("i64", np.arange(5))
    _finish(writer)
    for kind in (Q.Q8_0, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.BF16, Q.TQ1_0, Q.TQ2_0):
        writer = _described(into / f"{kind.name.lower()}.gguf")
        writer.add_tensor("blk.0.attn_q.weight", quants.quantize(w, kind), raw_dtype=kind)
        _finish(writer)
    # The other kinds cannot be quantised to in Python; their sizes are what counts.
    for kind, block in {Q.Q2_K: 84, Q.Q3_K: 110, Q.Q4_K: 144, Q.Q5_K: 176, Q.Q6_K: 210, Q.IQ4_XS: 136, Q.IQ2_XXS: 66}.items():
        writer = _described(into / f"{kind.name.lower()}.gguf")
        writer.add_tensor("blk.0.attn_q.weight", np.frombuffer(rng.bytes(8 * block), "u1").reshape(8, block), raw_dtype=kind)
        _finish(writer)
    writer = _described(into / "alignment.gguf")
    writer.add_custom_alignment(256)
    writer.add_tensor("w", w)
    writer.add_tensor("b", np.ones(3, "f4"))
    _finish(writer)
    writer = _described(into / "vocabulary.gguf")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"▁token{i}" for i in range(900)])
    writer.add_token_scores([0.5] * 900)
    _finish(writer)
    writer = _described(into / "big-endian.gguf", endianess=GGUFEndian.BIG)
    writer.add_tensor("w", w)
    _finish(writer)
    writer = _described(into / "zeros.gguf")
    writer.add_tensor("w", np.zeros((20, 64), "f4"))
    _finish(writer)
    writer = _described(into / "shard.gguf", split_max_tensors=1)
    for name in ("a", "b", "c"):
        writer.add_tensor(name, w[:2])
    _finish(writer)


def large(into) -> None:
    writer = _described(into / "large.gguf")
    writer.add_token_list([f"▁token number {i}" for i in range(120_000)])
    writer.add_token_scores([0.5] * 120_000)
    for i in range(6):
        writer.add_tensor(f"blk.{i}.weight", rng.normal(size=(1024, 512)).astype("f4"))
    _finish(writer)
