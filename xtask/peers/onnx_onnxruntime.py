"""Times predictions of ONNX models by onnxruntime. Reads {"seconds", "threads", "points"} as JSON from standard input, a point being {"name", "file",
"batch", "shape"}, and prints one line of JSON for each. The points are described in xtask/src/bench/onnx.rs."""
import json
import sys
import time

import numpy as np
import onnxruntime as ort

from timing import measure

order = json.load(sys.stdin)
for point in order["points"]:
    x = np.random.default_rng(0).random((point["batch"], *point["shape"]), dtype=np.float32)
    start = time.perf_counter()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = order["threads"]
    session = ort.InferenceSession(point["file"], settings, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x}
    session.run(None, feed)
    load = (time.perf_counter() - start) * 1e3

    def run(n):
        for _ in range(n):
            session.run(None, feed)

    measure("onnxruntime", point["name"], run, order["seconds"], load_ms=round(load, 2))
