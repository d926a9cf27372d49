"""Arrays: every kind of dtype, header version and order; archives of them, dense and sparse."""

import io

import numpy as np
import scipy.sparse

rng = np.random.default_rng(5)


def _python2(into, name, header: bytes, body: bytes, align: int) -> None:
    """As NumPy of Python 2 wrote it: `L` after numbers, spaces up to a multiple of 16 bytes (64 since 1.14)."""
    pad = align - (10 + len(header) + 1) % align
    padded = header + b" " * pad + b"\n"
    (into / name).write_bytes(b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + body)


def small(into) -> None:
    kinds = ["?", "i1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8", "<c8", "<c16", "S5", "<U7", "<M8[ns]", "<m8[s]", "V3"]
    for kind in kinds:
        name = "".join(c for c in kind if c.isalnum()) + ("-big" if ">" in kind else "")
        raw = rng.integers(0, 127, 60 * np.dtype(kind).itemsize, dtype="u1").tobytes()
        array = np.zeros(60, kind) if kind[-2:] in ("U7",) else np.frombuffer(raw, kind)
        np.save(into / f"{name}.npy", array.reshape(3, 4, 5))
    np.save(into / "scalar.npy", np.float64(3.5))
    np.save(into / "empty.npy", np.zeros(0))
    np.save(into / "empty-wide.npy", np.zeros((0, 768), "f4"))
    np.save(into / "fortran.npy", np.asfortranarray(rng.normal(size=(40, 30))))
    np.save(into / "zeros.npy", np.zeros((300, 40), "f4"))
    np.save(into / "padding-row.npy", np.vstack([rng.normal(size=(200, 16)), np.zeros((60, 16))]).astype("f4"))
    np.save(into / "strings.npy", np.array(["größe", "価格", "цена"]))
    np.save(into / "structured.npy", np.zeros(9, [("a", "<i4"), ("b", "<f8", (2, 3)), ("c", "S7")]))
    np.save(into / "padded-fields.npy", np.zeros(9, np.dtype([("a", "u1"), ("b", "<f8")], align=True)))
    np.save(into / "nested.npy", np.zeros(4, [("p", [("x", "<f4"), ("y", "<f4")]), ("tag", "<U3")]))
    np.save(into / "titles.npy", np.zeros(4, [(("a title", "t"), "<i4"), ("u", "<i2")]))
    np.save(into / "subarray.npy", np.zeros(5, np.dtype(("<f4", (2, 2)))))
    np.save(into / "version-2.npy", np.zeros(2, [(f"column_{i:05d}_of_many", "<f8") for i in range(2600)]))
    np.save(into / "version-3.npy", np.zeros(2, [("größe", "<f8"), ("価格", "<f4")]))
    np.save(into / "object.npy", np.array([{"a": 1}, [2, 3], None, "x"], dtype=object), allow_pickle=True)
    np.save(into / "object-arrays.npy", np.array([np.arange(5), np.arange(900)], dtype=object), allow_pickle=True)
    with open(into / "several.npy", "wb") as file:
        for array in (np.arange(10), rng.normal(size=(20, 20)), np.zeros(3, "i1")):
            np.save(file, array)
    np.lib.format.open_memmap(into / "memmap.npy", "w+", "<f4", (50, 50)).flush()
    _python2(into, "python2.npy", b"{'descr': '<f8', 'fortran_order': False, 'shape': (10L, 2L), }", bytes(160), 16)
    _python2(into, "python2-scalar-shape.npy", b"{'descr': '|i1', 'fortran_order': True, 'shape': (7L,), }", b"1234567", 16)
    _python2(into, "other-writer.npy", b'{"shape":(4,2),"fortran_order":False,"descr":"<u2"}', bytes(range(16)), 64)

    np.savez(into / "two.npz", x=rng.normal(size=(50, 6)), y=np.arange(50))
    np.savez(into / "positional.npz", np.arange(9), np.zeros((4, 4)))
    np.savez_compressed(into / "compressed.npz", x=rng.normal(size=(80, 6)), zeros=np.zeros((100, 100)))
    np.savez(into / "nothing.npz")
    np.savez(into / "names.npz", **{"größe/価格": np.arange(3), "with space": np.zeros(0), "a%20b": np.ones(2)})
    np.savez(into / "objects.npz", allow_pickle=True, o=np.array([{"a": 1}, None], dtype=object))
    np.savez(into / "zeros.npz", w=np.zeros((4096, 4)))
    np.savez(into / "many.npz", **{f"layer{i}": rng.normal(size=7) for i in range(120)})
    scipy.sparse.save_npz(into / "sparse.npz", scipy.sparse.random(80, 50, 0.05, "csr", rng=rng))
    scipy.sparse.save_npz(into / "sparse-stored.npz", scipy.sparse.random(80, 50, 0.05, "csc", rng=rng), compressed=False)
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(4))
    (into / "from-memory.npz").write_bytes(buffer.getvalue())


def large(into) -> None:
    np.save(into / "embedding.npy", rng.normal(size=(30_000, 1024)).astype("f4"))
    zero = np.zeros((4_000_000,), "f4")
    zero[:1_000_003] = 1
    np.save(into / "half-zero.npy", zero)
    np.save(into / "objects.npy", np.array([np.arange(90_000 + i) for i in range(30)], dtype=object), allow_pickle=True)
    np.savez(into / "large.npz", w=rng.normal(size=(4096, 512)).astype("f4"), zeros=np.zeros(1_500_000))
    np.savez_compressed(into / "large-compressed.npz", w=rng.normal(size=(1024, 1536)))
