"""ONNX: old and new ir versions, one and several opsets, raw and packed weights, functions, external data."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(5)


def _model(size=16, ir=8, opsets=((("", 17),)), raw=True, **more):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, size])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, size])]
    w = rng.normal(size=(size, size)).astype("f4")
    weight = numpy_helper.from_array(w, "w") if raw else helper.make_tensor("w", TensorProto.FLOAT, w.shape, w.flatten())
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"], doc_string="größe"), helper.make_node("Relu", ["m"], ["y"])]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [weight])
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    model = helper.make_model(graph, opset_imports=imports, **more)
    model.ir_version = ir
    return model


def small(into) -> None:
    for ir in range(3, 13):
        onnx.save(_model(ir=ir), into / f"ir-{ir}.onnx")
    onnx.save(_model(opsets=(("", 17), ("ai.onnx.ml", 3), ("com.microsoft", 1))), into / "opsets.onnx")
    onnx.save(_model(raw=False), into / "packed.onnx")
    onnx.save(_model(producer_name="größe", doc_string="価格" * 30, model_version=3), into / "documented.onnx")
    described = _model()
    helper.set_model_props(described, {"author": "größe", "empty": ""})
    onnx.save(described, into / "properties.onnx")
    with_function = _model(opsets=(("", 17), ("local", 1)))
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    with_function.functions.append(helper.make_function("local", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    onnx.save(with_function, into / "functions.onnx")
    ancient = _model(ir=1)
    del ancient.opset_import[:]
    onnx.save(ancient, into / "ir-1-no-opset.onnx")
    empty = helper.make_graph([], "empty", [], [])
    onnx.save(helper.make_model(empty), into / "empty-graph.onnx")
    zeros = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "z", [], [helper.make_tensor_value_info("y", 1, [60, 70])], [numpy_helper.from_array(np.zeros((60, 70), "f4"), "w")])
    onnx.save(helper.make_model(zeros), into / "zeros.onnx")
    for name, options in {"one-file": {"all_tensors_to_one_file": True, "location": "weights.data"}, "many-files": {"all_tensors_to_one_file": False}}.items():
        (into / name).mkdir()
        onnx.save(_model(40), into / name / "model.onnx", save_as_external_data=True, size_threshold=0, **options)
    (into / "tensor.pb").write_bytes(numpy_helper.from_array(rng.normal(size=(3, 4)), "t").SerializeToString())
    (into / "text.onnxtxt").write_text(onnx.printer.to_text(_model()))


def large(into) -> None:
    onnx.save(_model(1700), into / "raw.onnx")
    onnx.save(_model(1200, raw=False), into / "packed.onnx")
    (into / "external").mkdir()
    onnx.save(_model(5400), into / "external" / "model.onnx", save_as_external_data=True, all_tensors_to_one_file=True, location="model.onnx.data", size_threshold=0)
