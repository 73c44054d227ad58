"""onnxruntime: the operators LSTM, GRU and RNN, inference and one step, inputs and outputs bound beforehand. --version
tells the version. Threads: OMP_NUM_THREADS."""
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import peer

GATES = {"lstm": ("LSTM", 4), "gru": ("GRU", 3), "elman": ("RNN", 1)}


def graph(cell, I, H, B, T, states):
    op, gates = GATES[cell]
    draw = np.random.default_rng(1)
    weights = {"W": (1, gates * H, I), "R": (1, gates * H, H), "b": (1, 2 * gates * H)}
    tensors = [numpy_helper.from_array(draw.uniform(-0.1, 0.1, shape).astype(np.float32), name)
               for name, shape in weights.items()]
    carried = ["h", "c"][:1 + (cell == "lstm")] if states else []
    extra = {"linear_before_reset": 1} if cell == "gru" else {}
    node = helper.make_node(op, ["x", "W", "R", "b"] + ([""] + carried if states else []),
                            ["y"] + [name + "_new" for name in carried], hidden_size=H, **extra)

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    g = helper.make_graph([node], "layer", [value("x", T, B, I)] + [value(name, 1, B, H) for name in carried],
                          [value("y", T, 1, B, H)] + [value(name + "_new", 1, B, H) for name in carried], tensors)
    return helper.make_model(g, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), carried


def session(cell, I, H, B, T, states):
    model, carried = graph(cell, I, H, B, T, states)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1")), 1
    s = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    bound = s.io_binding()

    def array(*shape):
        return ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32) + np.float32(0.1))

    bound.bind_ortvalue_input("x", array(T, B, I))
    bound.bind_ortvalue_output("y", array(T, 1, B, H))
    for name in carried:
        bound.bind_ortvalue_input(name, array(1, B, H))
        bound.bind_ortvalue_output(name + "_new", array(1, B, H))
    return lambda: s.run_with_iobinding(bound)


def prepare(row):
    if row.kind not in ("infer", "stream") or row.cell not in GATES:
        return {}
    return {"bound": session(row.cell, row.I, row.H, row.B, row.T, row.kind == "stream")}


def warm_up(row):
    if row.cell in GATES:
        session(row.cell, 8, 8, 2, 2, False)()


if sys.argv[1:] == ["--version"]:
    print(ort.__version__, "onnx", onnx.__version__)
else:
    peer.serve(warm_up, prepare)
