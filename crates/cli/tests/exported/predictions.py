"""What onnxruntime says of the exported net: onnxruntime.json.

    gradus export net.safetensors net.onnx --with-preprocessing --samples net.npz
    python predictions.py net.onnx net.npz > onnxruntime.json
"""

import json
import sys

import numpy as np
import onnxruntime

model, samples = sys.argv[1:]
x = np.load(samples)["x"][:6]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
probabilities, label = session.run(["probabilities", "label"], {"x": x})
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
found = {"classes": classes, "x": x.ravel(), "probabilities": probabilities.ravel(), "label": label}
print(json.dumps({key: np.asarray(value).tolist() for key, value in found.items()}))
