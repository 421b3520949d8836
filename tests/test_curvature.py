"""Products with the Hessian and its largest eigenvalue against the full Hessian of small models."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from descend.data.builtin import load
from descend.numerics.curvature import Hessian, top_eigenvalue
from descend.numerics.least_squares import curvature, largest_stable_rate


def small_model(seed):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x, y = torch.randn(6, 3).double(), torch.randint(2, (6,))
    return model, lambda parameters: nn.functional.cross_entropy(functional_call(model, parameters, (x,)), y)


def full_hessian(model, loss):
    shapes = {name: each.shape for name, each in model.named_parameters()}
    flat = torch.cat([each.detach().flatten() for each in model.parameters()])

    def of_flat(values):
        parts = values.split([shape.numel() for shape in shapes.values()])
        return loss({name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)})

    return torch.autograd.functional.hessian(of_flat, flat)


def flat(direction):
    return torch.cat([each.flatten() for each in direction])


@given(seed=st.integers(0, 2**20))
@settings(max_examples=15)
def test_a_product_is_that_of_the_full_hessian(seed):
    model, loss = small_model(seed)
    direction = [torch.randn_like(each) for each in model.parameters()]
    ours = Hessian(loss(dict(model.named_parameters())), list(model.parameters())).times(direction)
    assert [each.shape for each in ours] == [each.shape for each in model.parameters()]
    torch.testing.assert_close(flat(ours), full_hessian(model, loss) @ flat(direction), rtol=1e-9, atol=1e-12)


@given(seed=st.integers(0, 2**20))
@settings(max_examples=3)
def test_the_largest_eigenvalue_is_that_of_the_full_hessian(seed):
    model, loss = small_model(seed)
    found = top_eigenvalue(
        loss(dict(model.named_parameters())), list(model.parameters()), tolerance=1e-7, iterations=3000
    )
    hessian = full_hessian(model, loss)
    eigenvalues = torch.linalg.eigvalsh(hessian)
    assert found.converged
    assert found.value == pytest.approx(float(eigenvalues[-1]), rel=1e-5)
    vector = flat(found.vector)
    assert float(vector.norm()) == pytest.approx(1)
    assert float((hessian @ vector - found.value * vector).norm()) == pytest.approx(found.residual, abs=1e-9)
    assert found.largest_stable_rate == pytest.approx(2 / float(eigenvalues[-1]), rel=1e-5)


@given(
    eigenvalues=st.lists(
        st.floats(-10, 10).map(lambda value: value if abs(value) > 1e-250 else 0.0), min_size=1, max_size=5
    ),
    seed=st.integers(0, 2**20),
)
@example(eigenvalues=[0.0, 6.779894967394807e-193], seed=0)
@settings(max_examples=25)
def test_negative_curvature_does_not_hide_the_largest(eigenvalues, seed):
    torch.manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(len(eigenvalues), len(eigenvalues)).double()).Q
    hessian = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
    x = torch.randn(len(eigenvalues)).double().requires_grad_()
    found = top_eigenvalue(x @ hessian @ x / 2, [x], iterations=200)
    size = max(map(abs, eigenvalues))
    near = min(abs(found.value - each) for each in eigenvalues)
    assert near <= found.residual + 1e-12 * size
    if found.converged:
        assert found.value >= max(eigenvalues) - 1e-2 * size


@pytest.mark.parametrize(("name", "layout"), [("scores-two", "rows"), ("scores-two", "reshape")])
def test_it_agrees_with_least_squares(name, layout):
    examples = load(name, layout=layout).train
    model = nn.Linear(2, 1).double()
    loss = nn.functional.mse_loss(model(examples.features.double()), examples.targets.double())
    found = top_eigenvalue(loss, list(model.parameters()))
    assert found.value == pytest.approx(float(curvature(examples.features)[-1]), rel=1e-9)
    assert found.largest_stable_rate == pytest.approx(largest_stable_rate(examples.features), rel=1e-9)
    assert found.iterations < 10


def test_a_flat_loss_has_no_limit():
    w = torch.ones(3).double().requires_grad_()
    found = top_eigenvalue(w.sum(), [w])
    assert (found.value, found.largest_stable_rate, found.converged) == (0.0, float("inf"), True)


def test_running_out_of_iterations_is_told():
    x = torch.ones(2).double().requires_grad_()
    found = top_eigenvalue(x[0] ** 2 + 0.999 * x[1] ** 2, [x], tolerance=1e-12, iterations=3)
    assert (found.iterations, found.converged) == (3, False)
    assert found.residual > 0


def test_the_global_generator_and_the_gradients_are_left_alone():
    w = torch.ones(3).double().requires_grad_()
    state = torch.get_rng_state()
    top_eigenvalue((w**4).sum(), [w])
    assert torch.equal(torch.get_rng_state(), state)
    assert w.grad is None
