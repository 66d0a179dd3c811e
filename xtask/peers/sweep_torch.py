"""Times training steps of small nets in PyTorch. Reads {"seconds", "threads", "compile", "points"} as JSON from standard input and prints
one line of JSON for each point: {"lib", "point", "us", "p10", "p90", "cpu"}. The nets are described in xtask/src/bench/sweep.rs."""
import json
import sys

import torch
import torch.nn.functional as F
from torch import nn

from timing import measure

CLASSES = 10


class Pooled(nn.Module):
    """The mean over the axes of space or time, then the classes."""

    def __init__(self, body, axes, units):
        super().__init__()
        self.body, self.axes, self.classes = body, axes, nn.Linear(units, CLASSES)

    def forward(self, x):
        return self.classes(self.body(x).mean(self.axes))


class Last(nn.Module):
    """The last output of a recurrent layer, then the classes."""

    def __init__(self, body, units):
        super().__init__()
        self.body, self.classes = body, nn.Linear(units, CLASSES)

    def forward(self, x):
        return self.classes(self.body(x)[0][:, -1])


class SelfAttention(nn.Module):
    def __init__(self, features, heads):
        super().__init__()
        self.inner = nn.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


def build(net):
    """The network and the shape of its input without the batch."""
    kind = net["kind"]
    if kind == "dense":
        widths = net["widths"]
        layers = [layer for i, o in zip(widths, widths[1:]) for layer in (nn.Linear(i, o), nn.ReLU())]
        return nn.Sequential(*layers, nn.Linear(widths[-1], CLASSES)), (widths[0],)
    if kind == "conv":
        channels, filters, size, pixels = net["channels"], net["filters"], net["size"], net["pixels"]

        def conv(inputs, stride):
            groups = inputs if net["depthwise"] else 1
            return nn.Conv2d(inputs, filters, size, stride, size // 2, groups=groups)

        body = nn.Sequential(conv(channels, net["stride"]), nn.ReLU(), conv(filters, 1), nn.ReLU())
        return Pooled(body, (2, 3), filters), (channels, pixels, pixels)
    shape = (net["steps"], net["features"])
    if kind == "attention":
        return Pooled(SelfAttention(net["features"], net["heads"]), 1, net["features"]), shape
    recurrent = nn.LSTM if kind == "lstm" else nn.GRU
    return Last(recurrent(net["features"], net["units"], batch_first=True), net["units"]), shape


def main():
    order = json.load(sys.stdin)
    torch.set_num_threads(order["threads"])
    torch.manual_seed(0)
    lib = "torch-compile" if order["compile"] else "torch"
    for point in order["points"]:
        model, shape = build(point["net"])
        x = torch.rand(point["batch"], *shape)
        y = torch.randint(0, CLASSES, (point["batch"],))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        if order["compile"]:
            model = torch.compile(model)

        def run(steps):
            for _ in range(steps):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()

        measure(lib, point["name"], run, order["seconds"])


main()
