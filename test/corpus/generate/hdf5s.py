"""HDF5: superblock versions 0 to 3, user blocks, chunks and filters, links and virtual data, pandas, zeros, empty files."""

import h5py
import numpy as np
import pandas as pd

rng = np.random.default_rng(5)


def _fill(file) -> None:
    file.attrs["größe"] = "価格"
    file["weights/kernel"] = rng.normal(size=(30, 20)).astype("f4")
    file["weights/bias"] = np.zeros(20)
    file.create_dataset("chunked", data=np.arange(900), chunks=(100,), compression="gzip", shuffle=True, fletcher32=True)
    file.create_dataset("text", data=["größe", "b"], dtype=h5py.string_dtype())
    file.create_dataset("nothing", shape=(0, 5), maxshape=(None, 5))
    file.create_dataset("reserved", shape=(400,), dtype="f8")


def small(into) -> None:
    for version in (("earliest", "v108"), ("earliest", "v200"), ("v108", "v110"), ("v110", "v112"), ("v112", "v114"), ("v114", "v200"), ("latest", "latest")):
        for block in (0, 512, 4096):
            if block and version[0] not in ("earliest", "latest"):
                continue
            with h5py.File(into / f"{version[0]}-{version[1]}-{block}.h5", "w", libver=version, userblock_size=block) as file:
                _fill(file)
    with h5py.File(into / "empty.h5", "w"):
        pass
    with h5py.File(into / "empty-latest.hdf5", "w", libver="latest"):
        pass
    with h5py.File(into / "ordered.h5", "w", track_order=True) as file:
        for i in range(200):
            file[f"layer{199 - i}"] = np.ones(i % 5)
    with h5py.File(into / "zeros.h5", "w") as file:
        file["embedding"] = np.zeros((300, 16), "f4")
    with h5py.File(into / "links.h5", "w") as file:
        file["other"] = h5py.ExternalLink("zeros.h5", "/embedding")
        layout = h5py.VirtualLayout((300, 16), "f4")
        layout[:] = h5py.VirtualSource("zeros.h5", "embedding", (300, 16))
        file.create_virtual_dataset("virtual", layout)
    for strategy in ("fsm", "page", "aggregate", "none"):
        with h5py.File(into / f"space-{strategy}.h5", "w", fs_strategy=strategy, fs_persist=strategy in ("fsm", "page")) as file:
            _fill(file)
            del file["chunked"]
    with h5py.File(into / "deleted.h5", "w") as file:
        _fill(file)
        del file["weights"]
    with h5py.File(into / "swmr.h5", "w", libver="latest") as file:
        data = file.create_dataset("d", (0,), maxshape=(None,), chunks=(50,))
        file.swmr_mode = True
        data.resize((120,))
        data[:] = 1
    with h5py.File(into / "reopened.h5", "w") as file:
        _fill(file)
    with h5py.File(into / "reopened.h5", "a") as file:
        file["later"] = np.ones(50)
    try:
        import tables  # noqa: F401
    except ImportError:
        return
    frame = pd.DataFrame({"x": rng.normal(size=40), "s": [f"r{i}" for i in range(40)]})
    frame.to_hdf(into / "fixed.h5", key="frame")
    frame.to_hdf(into / "table.hdf", key="frame", format="table", complib="blosc")


def large(into) -> None:
    for name, options in {"plain": {}, "latest": {"libver": "latest"}, "block": {"userblock_size": 512}}.items():
        with h5py.File(into / f"{name}.h5", "w", **options) as file:
            file["kernel"] = rng.normal(size=(1100, 1200)).astype("f8")
            file["bias"] = np.zeros(1000)
            file.create_dataset("chunked", data=rng.normal(size=(700, 700)), compression="gzip")
    with h5py.File(into / "over-100-mib.h5", "w") as file:
        file["kernel"] = rng.normal(size=(14_000, 1000))
