"""The ONNX files of onnx.in, with made-up weights.

    python make_onnx.py onnx.in

needs onnx and numpy.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def stored(name, *shape):
    size = int(np.prod(shape))
    numbers = ((np.arange(size) * 37 % 19) / 19 - 0.5).astype(np.float32)
    return numpy_helper.from_array(numbers.reshape(shape), name)


def model(nodes, inputs, outputs, weights, **metadata):
    graph = helper.make_graph(nodes, "made", inputs, outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)],
                             producer_name="make_onnx", ir_version=8)
    helper.set_model_props(made, metadata)
    return made


def main(folder):
    folder = pathlib.Path(folder)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])
    p = helper.make_tensor_value_info("p", TensorProto.FLOAT, ["batch", 3])
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["features"], "relu"),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"], "pool"),
        helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "classes.weight", "classes.bias"], ["logits"], "classes", transB=1),
        helper.make_node("Softmax", ["logits"], ["p"], "softmax"),
    ]
    weights = [stored("conv.weight", 4, 1, 3, 3), stored("conv.bias", 4),
               stored("classes.weight", 3, 4), stored("classes.bias", 3)]
    small = model(nodes, [x], [p], weights, classes='["cat", "dog", "owl"]')
    onnx.checker.check_model(small)
    onnx.save(small, folder / "small.onnx")
    whole = (folder / "small.onnx").read_bytes()
    (folder / "cut.onnx").write_bytes(whole[:len(whole) // 2])

    mask = helper.make_tensor_value_info("mask", TensorProto.INT64, ["batch", 4])
    real = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])
    nodes = [
        helper.make_node("Cast", ["mask"], ["m"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "m"], ["masked"], "masked"),
        helper.make_node("MatMul", ["masked", "weight"], ["y"], "product"),
    ]
    onnx.save(model(nodes, [real, mask], [y], [stored("weight", 4, 2)]), folder / "masked.onnx")

    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("Blur", ["r"], ["b"], "blur", domain="com.example"),
        helper.make_node("MatMul", ["b", "weight"], ["m"], "product"),
        helper.make_node("Unique", ["m"], ["u"], "unique"),
        helper.make_node("Neg", ["u"], ["y"], "negative"),
    ]
    onnx.save(model(nodes, [real], [y], [stored("weight", 4, 2)]), folder / "unsupported.onnx")


if __name__ == "__main__":
    main(sys.argv[1])
