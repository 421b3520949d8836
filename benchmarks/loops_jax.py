"""The same trainings in JAX, each epoch compiled into one program. JAX shuffles and initialises by its own random numbers."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from rows import mnist_vectors, table
from timing import Measured

Values = dict[str, Array]
Loss = Callable[[Values, Array, Array], Array]
Update = Callable[[Values, Any, Values], tuple[Values, Any]]  # values, optimizer state, gradients → values, state


def digits(epochs: int, rows: int | None) -> Measured:
    """Two layers on MNIST: Adam 0.001, batch 64, shuffled."""
    features, labels = (jnp.asarray(array) for array in mnist_vectors("train", rows))
    values = _linear(0, 784, 128, "in") | _linear(1, 128, 10, "out")
    values, measured = _train(_cross_entropy(_two_layers), _adam, values, features, labels, batch=64, epochs=epochs)
    measured.score = _share_right(_two_layers, values, rows)
    return measured


def softmax(epochs: int, rows: int | None) -> Measured:
    """Softmax regression on MNIST: lr 0.5, batch 64, rows in order."""
    features, labels = (jnp.asarray(array) for array in mnist_vectors("train", rows))
    drawn = jax.random.normal(jax.random.PRNGKey(0), (784, 10)) / 28
    values, measured = _train(
        _cross_entropy(_one_layer),
        partial(_descent, 0.5),
        {"out": drawn, "out_bias": jnp.zeros(10)},
        features,
        labels,
        batch=64,
        epochs=epochs,
        shuffle=False,
    )
    measured.score = _share_right(_one_layer, values, rows)
    return measured


def columns(kind: str, epochs: int, rows: int | None) -> Measured:
    """The table: SGD 0.01 on one layer, or Adam 0.001 on two."""
    features, targets = (jnp.asarray(array) for array in table(kind, rows))
    if kind == "linear":
        model, update, values = _one_layer, partial(_descent, 0.01), _linear(0, 20, 1, "out")
    else:
        model, update, values = _two_layers, _adam, _linear(0, 20, 64, "in") | _linear(1, 64, 1, "out")
    _, measured = _train(_mean_square(model), update, values, features, targets, batch=1024, epochs=epochs)
    return measured


def _train(
    loss: Loss,
    update: Update,
    values: Values,
    features: Array,
    targets: Array,
    *,
    batch: int,
    epochs: int,
    shuffle: bool = True,
) -> tuple[Values, Measured]:
    rows = len(features)
    whole = rows // batch * batch

    def step(carry: Any, chosen: Array) -> tuple[Any, Array]:
        values, state = carry
        found, gradients = jax.value_and_grad(loss)(values, features[chosen], targets[chosen])
        return update(values, state, gradients), found

    @jax.jit
    def epoch(carry: Any, key: Array) -> tuple[Any, Array]:
        order = jax.random.permutation(key, rows) if shuffle else jnp.arange(rows)
        carry, losses = lax.scan(step, carry, order[:whole].reshape(-1, batch))
        if whole == rows:
            return carry, losses
        carry, last = step(carry, order[whole:])
        return carry, jnp.append(losses, last)

    zeros = jax.tree.map(jnp.zeros_like, values)
    carry: Any = (values, (jnp.zeros(()), zeros, zeros))
    compiled = epoch.lower(carry, jax.random.PRNGKey(0)).compile()  # counted in the wall time alone
    measured = Measured()
    for number in range(epochs):
        with measured.epoch():
            carry, losses = compiled(carry, jax.random.PRNGKey(number))
            jax.block_until_ready(carry)
        measured.losses = measured.losses or losses.tolist()
        measured.score = float(losses.mean())
    return carry[0], measured


def _descent(lr: float, values: Values, state: Any, gradients: Values) -> tuple[Values, Any]:
    return jax.tree.map(lambda value, gradient: value - lr * gradient, values, gradients), state


def _adam(values: Values, state: Any, gradients: Values) -> tuple[Values, Any]:
    t, mean, square = state
    t = t + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
    square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradients)

    def moved(value: Array, m: Array, v: Array) -> Array:
        return value - 0.001 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return jax.tree.map(moved, values, mean, square), (t, mean, square)


def _one_layer(values: Values, x: Array) -> Array:
    return x @ values["out"] + values["out_bias"]


def _two_layers(values: Values, x: Array) -> Array:
    return _one_layer(values, jax.nn.relu(x @ values["in"] + values["in_bias"]))


def _cross_entropy(model: Callable[[Values, Array], Array]) -> Loss:
    def loss(values: Values, x: Array, y: Array) -> Array:
        return -jnp.take_along_axis(jax.nn.log_softmax(model(values, x)), y[:, None], axis=1).mean()

    return loss


def _mean_square(model: Callable[[Values, Array], Array]) -> Loss:
    return lambda values, x, y: jnp.square(model(values, x) - y).mean()


def _linear(seed: int, width: int, outputs: int, name: str) -> Values:
    limit = width**-0.5
    keys = jax.random.split(jax.random.PRNGKey(seed))
    return {
        name: jax.random.uniform(keys[0], (width, outputs), minval=-limit, maxval=limit),
        f"{name}_bias": jax.random.uniform(keys[1], (outputs,), minval=-limit, maxval=limit),
    }


def _share_right(model: Callable[[Values, Array], Array], values: Values, rows: int | None) -> float:
    features, labels = (jnp.asarray(array) for array in mnist_vectors("t10k", rows))
    return float((model(values, features).argmax(1) == labels).mean())


LOOPS: Mapping[str, Callable[[int, int | None], Measured]] = {
    "A": digits,
    "C": softmax,
    "D-linear": partial(columns, "linear"),
    "D-two-layer": partial(columns, "two-layer"),
}
