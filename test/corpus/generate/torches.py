"""PyTorch: the zip form and the one before it, TorchScript, lite interpreter, views, zeros, quantised and sparse tensors."""

import collections
import pickle

import torch
from torch import nn

torch.manual_seed(5)


class Net(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.embedding = nn.Embedding(30, width, padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))

    def forward(self, x):
        return self.layers(self.embedding(x).mean(1))


def _values():
    base = torch.randn(20, 20)
    return {
        "state": Net().state_dict(),
        "module": nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
        "tensor": torch.randn(9, 7),
        "scalar": torch.tensor(3.5),
        "views": {"all": base, "row": base[3], "column": base[:, 2], "transposed": base.t()},
        "empty-tensor": {"e": torch.zeros(0, 768), "w": torch.ones(3)},
        "no-tensors": {"epoch": 3, "name": "größe"},
        "zeros": {"w": torch.zeros(90, 60), "b": torch.zeros(5)},
        "kinds": {str(kind): torch.ones(5, dtype=kind) for kind in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float64, torch.complex64)},
        "quantized": torch.quantize_per_tensor(torch.randn(6, 6), 0.1, 0, torch.qint8),
        "sparse": torch.eye(9).to_sparse(),
        "names": collections.OrderedDict({"größe/価格": torch.ones(2), "a b": torch.ones(1)}),
        "parameter": nn.Parameter(torch.randn(4)),
    }


def small(into) -> None:
    for name, value in _values().items():
        torch.save(value, into / f"{name}.pt")
        torch.save(value, into / f"{name}-legacy.pth", _use_new_zipfile_serialization=False)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(2, 3, dtype=torch.long)).sum().backward()
    optimizer.step()
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 1}
    torch.save(checkpoint, into / "checkpoint.ckpt")
    torch.save(checkpoint, into / "checkpoint-legacy.bin", _use_new_zipfile_serialization=False)
    for protocol in (3, 4, 5):
        torch.save(checkpoint, into / f"protocol-{protocol}.pt", pickle_protocol=protocol)
        torch.save(checkpoint, into / f"protocol-{protocol}-legacy.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    with open(into / "größe.pt", "wb") as file:
        torch.save(model.state_dict(), file)
    scripted = torch.jit.script(model)
    scripted.save(str(into / "scripted.pt"))
    scripted.save(str(into / "with-files.pt"), _extra_files={"note.txt": "größe"})
    torch.jit.trace(model, torch.zeros(1, 3, dtype=torch.long)).save(str(into / "traced.pt"))
    scripted._save_for_lite_interpreter(str(into / "lite.ptl"))
    with torch.package.PackageExporter(str(into / "package.pt")) as exporter:
        exporter.save_pickle("m", "t.pkl", torch.ones(3))
    torch.export.save(torch.export.export(Net().eval(), (torch.zeros(1, 3, dtype=torch.long),)), str(into / "exported.pt2"))
    (into / "pickled.pkl").write_bytes(pickle.dumps(model.state_dict()))


def large(into) -> None:
    state = {f"l{i}": torch.randn(1024, 600) for i in range(5)}
    torch.save(state, into / "state.pt")
    torch.save(state, into / "state-legacy.pth", _use_new_zipfile_serialization=False)
    over = {"w": torch.ones(27_000, 1024), "zeros": torch.zeros(5)}
    torch.save(over, into / "over-100-mib.pt")
    torch.save(over, into / "over-100-mib-legacy.bin", _use_new_zipfile_serialization=False)
    torch.jit.script(Net(900)).save(str(into / "scripted.pt"))
