"""JSON as Python and JavaScript write it, and what else stands in files called .json."""

import json

import numpy as np

rng = np.random.default_rng(5)


def small(into) -> None:
    vocabulary = {f"▁wort{i}": i for i in range(900)}
    tokenizer = {"version": "1.0", "truncation": None, "model": {"type": "BPE", "vocab": vocabulary, "merges": [["a", "b"]] * 50}}
    values = {
        "tokenizer": tokenizer,
        "config": {"hidden_size": 768, "name": "größe", "dropout": 0.1, "id2label": {"0": "A"}},
        "not-finite": {"a": float("nan"), "b": [float("inf"), -float("inf")]},
        "long-numbers": [2**70, 1e-300, -0.0, 10**400],
        "prophet": {"growth": "linear", "history": {"ds": list(range(400)), "y": rng.normal(size=400).tolist()}},
        "text": "a JSON text alone",
        "number": 12.5,
        "null": None,
        "true": True,
        "empty-object": {},
        "empty-list": [],
        "surrogate": "\ud83d",
        "zeros": [0.0] * 5000,
    }
    for name, value in values.items():
        (into / f"{name}.json").write_text(json.dumps(value))
        (into / f"{name}-pretty.json").write_text(json.dumps(value, indent=2, ensure_ascii=name == "surrogate") + "\n", encoding="utf-8")
    (into / "byte-order-mark.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(values["config"]).encode())
    (into / "windows-lines.json").write_bytes(json.dumps(values["config"], indent=1).replace("\n", "\r\n").encode() + b"\r\n\r\n")
    (into / "lines.json").write_text("".join(json.dumps({"row": i, "text": "größe"}) + "\n" for i in range(300)))
    (into / "lines.jsonl").write_text("\n".join(json.dumps({"row": i}) for i in range(300)))
    (into / "lists.json").write_text("".join(json.dumps([i, "x"]) + "\n" for i in range(90)))
    (into / "spaces.json").write_text("\n\t " + json.dumps(values["config"]) + " \n\n\t\n")
    (into / "deep.json").write_text("[" * 900 + "]" * 900)
    (into / "utf-16.json").write_bytes(json.dumps(values["config"]).encode("utf-16"))
    (into / "latin-1.json").write_bytes('{"name": "größe"}'.encode("latin-1"))
    (into / "MLmodel.json").write_text(json.dumps({"flavors": {}}) + "\n")


def large(into) -> None:
    numbers = rng.normal(size=700_000).tolist()
    (into / "large.json").write_text(json.dumps({"y": numbers}))
    (into / "not-finite.json").write_text(json.dumps({"y": numbers[:300_000], "last": float("nan")}))
    (into / "lines.jsonl").write_text("".join(json.dumps({"row": i, "text": "größe"}) + "\n" for i in range(200_000)))
