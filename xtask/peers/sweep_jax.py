"""Times training steps of small nets in JAX, each step one compiled function. Reads {"seconds", "points"} as JSON from standard input and
prints one line of JSON for each point: {"lib", "point", "us", "p10", "p90", "cpu"}. The nets are described in xtask/src/bench/sweep.rs."""
import json
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from timing import measure

CLASSES = 10


def linear(random, inputs, outputs):
    bound = inputs**-0.5
    return {"w": random.uniform(-bound, bound, (inputs, outputs)).astype(np.float32), "b": np.zeros(outputs, np.float32)}


def apply(layer, x):
    return x @ layer["w"] + layer["b"]


def dense(net, random):
    widths = net["widths"] + [CLASSES]
    parameters = [linear(random, i, o) for i, o in zip(widths, widths[1:])]

    def forward(parameters, x):
        for layer in parameters[:-1]:
            x = jax.nn.relu(apply(layer, x))
        return apply(parameters[-1], x)

    return parameters, forward, (widths[0],)


def conv(net, random):
    channels, filters, size, pixels = net["channels"], net["filters"], net["size"], net["pixels"]
    plan = [(channels, net["stride"]), (filters, 1)]

    def weights(inputs):
        own = 1 if net["depthwise"] else inputs
        bound = (size * size * own) ** -0.5
        w = random.uniform(-bound, bound, (size, size, own, filters)).astype(np.float32)
        return {"w": w, "b": np.zeros(filters, np.float32)}

    parameters = [weights(inputs) for inputs, _ in plan] + [linear(random, filters, CLASSES)]
    before = size // 2

    def forward(parameters, x):
        for layer, (inputs, stride) in zip(parameters, plan):
            x = lax.conv_general_dilated(
                x, layer["w"], (stride, stride), [(before, before)] * 2,
                dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=inputs if net["depthwise"] else 1,
            )
            x = jax.nn.relu(x + layer["b"])
        return apply(parameters[-1], x.mean((1, 2)))

    return parameters, forward, (pixels, pixels, channels)


def recurrent(net, random):
    features, units, gates = net["features"], net["units"], 4 if net["kind"] == "lstm" else 3
    parameters = {
        "x": linear(random, features, gates * units),
        "h": linear(random, units, gates * units),
        "classes": linear(random, units, CLASSES),
    }

    def lstm(parameters, state, x):
        h, c = state
        i, f, g, o = jnp.split(x + h @ parameters["h"]["w"], 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    def gru(parameters, state, x):
        (h,) = state
        xr, xz, xn = jnp.split(x, 3, axis=1)
        hr, hz, hn = jnp.split(apply(parameters["h"], h), 3, axis=1)
        r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + r * hn)
        return ((1 - z) * n + z * h,), None

    cell = lstm if gates == 4 else gru

    def forward(parameters, x):
        zero = jnp.zeros((x.shape[0], units), x.dtype)
        steps = apply(parameters["x"], x).swapaxes(0, 1)
        state, _ = lax.scan(partial(cell, parameters), (zero,) * (gates - 2), steps)
        return apply(parameters["classes"], state[0])

    return parameters, forward, (net["steps"], features)


def attention(net, random):
    features, heads = net["features"], net["heads"]
    parameters = [linear(random, features, 3 * features), linear(random, features, features), linear(random, features, CLASSES)]

    def forward(parameters, x):
        batch, steps, _ = x.shape
        split = lambda a: a.reshape(batch, steps, heads, features // heads).transpose(0, 2, 1, 3)
        q, k, v = map(split, jnp.split(apply(parameters[0], x), 3, axis=2))
        weights = jax.nn.softmax(q @ k.swapaxes(2, 3) * (features // heads) ** -0.5)
        y = (weights @ v).transpose(0, 2, 1, 3).reshape(batch, steps, features)
        return apply(parameters[2], apply(parameters[1], y).mean(1))

    return parameters, forward, (net["steps"], features)


def main():
    order = json.load(sys.stdin)
    random = np.random.default_rng(0)
    kinds = {"dense": dense, "conv": conv, "lstm": recurrent, "gru": recurrent, "attention": attention}
    for point in order["points"]:
        parameters, forward, shape = kinds[point["net"]["kind"]](point["net"], random)
        x = jnp.asarray(random.random((point["batch"], *shape), dtype=np.float32))
        y = jnp.asarray(random.integers(0, CLASSES, point["batch"]))
        parameters = jax.tree.map(jnp.asarray, parameters)

        def loss(parameters, x, y):
            chances = jax.nn.log_softmax(forward(parameters, x))
            return -jnp.take_along_axis(chances, y[:, None], 1).mean()

        @partial(jax.jit, donate_argnums=0)
        def step(parameters, x, y):
            value, gradients = jax.value_and_grad(loss)(parameters, x, y)
            return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradients), value

        def run(steps):
            nonlocal parameters
            for _ in range(steps):
                parameters, value = step(parameters, x, y)
            value.block_until_ready()

        measure("jax", point["name"], run, order["seconds"])


main()
