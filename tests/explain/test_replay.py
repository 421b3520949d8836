"""A step computed once more: from its record alone come the gradients that autograd gives in float64."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from descend.explain.by_hand import by_hand
from descend.explain.curvature import top_curvature
from descend.explain.formulas.arguments import NotCovered
from descend.explain.gradients import clips_of, gradient_rows, replayed
from descend.explain.replay import replay
from descend.record.graph import StepGraph


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)
        self.conv2, self.drop = nn.Conv2d(3, 4, 3), nn.Dropout(0.3)
        self.fc = nn.Linear(4 * 4 * 4, 5)

    def forward(self, x):
        x = functional.max_pool2d(torch.relu(self.norm(self.conv1(x))), 2)
        return self.fc(self.drop(torch.relu(self.conv2(x))).flatten(1))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.norm, self.out = nn.Embedding(12, 6), nn.LayerNorm(6), nn.Linear(6, 12)

    def forward(self, ids):
        return self.out(functional.gelu(self.norm(self.embedding(ids)).mean(dim=1)))


def layers(*, dropout=0.0):
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Dropout(dropout), nn.Linear(6, 2))


MODELS = {
    "layers": (layers, lambda: (torch.randn(8, 3), torch.randn(8, 2)), nn.MSELoss()),
    "dropout after relu": (
        lambda: layers(dropout=0.5),
        lambda: (torch.randn(8, 3), torch.randn(8, 2)),
        nn.SmoothL1Loss(),
    ),
    "convolutions": (
        Convolutions,
        lambda: (torch.randn(6, 1, 14, 14), torch.randint(0, 5, (6,))),
        nn.CrossEntropyLoss(),
    ),
    "words": (
        Words,
        lambda: (torch.randint(0, 12, (7, 4)), torch.randint(0, 12, (7,))),
        nn.CrossEntropyLoss(label_smoothing=0.1),
    ),
}
OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, betas=(0.8, 0.95)),
}


def training(name, optimizer="SGD", dtype=torch.float64):
    """A program, and where it leaves the gradients of its first step."""
    make, batch, loss_function = MODELS[name]
    seen = {}

    def program():
        torch.manual_seed(3)
        model = make().to(dtype)
        optimizer_used = OPTIMIZERS[optimizer](model.parameters())
        for _ in range(2):
            x, y = (each.to(dtype) if each.is_floating_point() else each for each in batch())
            optimizer_used.zero_grad()
            loss = loss_function(model(x), y)
            loss.backward()
            seen.setdefault("loss", loss.item())
            seen.setdefault("gradients", {key: each.grad.clone() for key, each in model.named_parameters()})
            optimizer_used.step()

    return program, seen


@pytest.mark.parametrize("name", MODELS)
def test_closed_forms_give_the_gradients_of_autograd(kept, name):
    program, seen = training(name)
    recorded = kept(program)
    found = replay(recorded.graph, recorded.tensors)
    assert found.loss == pytest.approx(seen["loss"], rel=1e-12)
    assert set(seen["gradients"]) <= set(found.gradients)
    largest = max(float(each.abs().max()) for each in seen["gradients"].values())
    for key, expected in seen["gradients"].items():
        # Autograd's own dropout mask is the one that was recorded, zeros of a relu before it included.
        torch.testing.assert_close(found.gradients[key], expected, rtol=1e-9, atol=1e-11 * largest)
    assert not [one.why for one in found.worked.values() if one.why]


@pytest.mark.parametrize("name", MODELS)
def test_differences_of_the_replayed_loss_are_its_gradients(kept, name):
    recorded = kept(training(name)[0])
    found = replay(recorded.graph, recorded.tensors)
    for key in recorded.parameters:
        direction = torch.randn(found.leaves[key].shape, dtype=torch.float64)
        width = 1e-6
        above = found.loss_with(key, found.leaves[key] + width * direction)
        below = found.loss_with(key, found.leaves[key] - width * direction)
        slope = float((found.gradients[key] * direction).sum())
        assert (above - below) / (2 * width) == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_the_loss_with_what_was_there_is_the_loss(kept):
    recorded = kept(training("words")[0])
    found = replay(recorded.graph, recorded.tensors)
    for key in recorded.parameters:
        assert found.loss_with(key, found.leaves[key]) == found.loss
    again = found.gradients_with({})
    assert all(torch.equal(again[key], each) for key, each in found.gradients.items())


def test_random_numbers_of_the_step_are_those_of_the_run(kept):
    seen = {}

    def program():
        torch.manual_seed(0)
        model = nn.Linear(5, 4).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            x, y = torch.randn(9, 5, dtype=torch.float64), torch.randint(0, 4, (3, 3))
            hidden = model(x)
            noisy = hidden + torch.randn_like(hidden)
            optimizer.zero_grad()
            functional.cross_entropy(noisy, y.flatten()).backward()
            seen.setdefault("gradient", model.weight.grad.clone())
            optimizer.step()

    recorded = kept(program)
    found = replay(recorded.graph, recorded.tensors)
    torch.testing.assert_close(found.gradients["weight"], seen["gradient"], rtol=1e-10, atol=1e-12)


def accumulated(passes, *, clip=None):
    seen = {}

    def program():
        torch.manual_seed(0)
        x, y = torch.randn(4 * passes, 3), torch.randn(4 * passes, 2)
        model = layers()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            for part in range(passes):
                rows = slice(4 * part, 4 * part + 4)
                (functional.mse_loss(model(x[rows]), y[rows]) / passes).backward()
            if clip is not None:
                clip(model)
            seen.setdefault("gradients", {key: each.grad.double().clone() for key, each in model.named_parameters()})
            optimizer.step()

    return program, seen


def test_several_backward_passes_add_up(kept):
    program, seen = accumulated(3)
    recorded = kept(program)
    found = replayed(recorded)
    assert len(found.losses) == 3
    for key, expected in seen["gradients"].items():
        torch.testing.assert_close(found.gradients[key], expected, rtol=1e-5, atol=1e-6)


CLIPS = {
    "norm of all": lambda model: nn.utils.clip_grad_norm_(model.parameters(), 0.05),
    "norm of some": lambda model: nn.utils.clip_grad_norm_(model[3].parameters(), 0.05),
    "value": lambda model: nn.utils.clip_grad_value_(model.parameters(), 0.02),
}


@pytest.mark.parametrize("how", CLIPS)
def test_clipping_is_taken_into_account(kept, how):
    program, _ = accumulated(2, clip=CLIPS[how])
    recorded = kept(program)
    found = replayed(recorded)
    clips = clips_of(recorded, found)
    assert len(clips) == 1
    rows = gradient_rows(recorded, found, clips)
    assert [row["agrees"] for row in rows] == [True] * 4
    if how == "norm of some":
        assert clips[0].names == {"3.weight", "3.bias"}
    # Without what clipping did, the closed forms are something else.
    assert not all(row["agrees"] for row in gradient_rows(recorded, found, []))


def test_a_pass_whose_gradients_were_cleared_again_does_not_count(kept):
    def program():
        torch.manual_seed(0)
        x, y = torch.randn(8, 3), torch.randn(8, 2)
        model = layers()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(2):
            model(x).sum().backward()
            optimizer.zero_grad()
            functional.mse_loss(model(x), y).backward()
            optimizer.step()

    recorded = kept(program)
    found = replayed(recorded)
    assert [one.name for one in found.losses] == ["mse_loss"]
    assert all(row["agrees"] for row in gradient_rows(recorded, found, []))


def test_gradients_that_were_never_cleared_disagree_and_say_why(kept):
    def program():
        torch.manual_seed(0)
        x, y = torch.randn(8, 3), torch.randn(8, 2)
        model = layers()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(10):
            functional.mse_loss(model(x), y).backward()
            optimizer.step()

    recorded = kept(program, 10)
    rows = gradient_rows(recorded, replayed(recorded), [])
    assert {row["agrees"] for row in rows} == {False}
    assert rows[0]["why"] == "gradients of earlier steps were still in it: it was not cleared"


def test_the_hessian_of_a_small_model(kept):
    torch.manual_seed(5)
    recorded = kept(training("words")[0])
    found = replay(recorded.graph, recorded.tensors)
    names = [key for key in recorded.parameters if key in found.gradients]
    sizes = [found.leaves[key].numel() for key in names]

    def gradient(theta):
        parts = torch.split(theta, sizes)
        values = {key: part.view_as(found.leaves[key]) for key, part in zip(names, parts, strict=True)}
        gradients = found.gradients_with(values)
        return torch.cat([gradients[key].flatten() for key in names])

    theta = torch.cat([found.leaves[key].flatten() for key in names])
    width = 1e-5
    columns = [
        (gradient(theta + width * unit) - gradient(theta - width * unit)) / (2 * width)
        for unit in torch.eye(len(theta), dtype=torch.float64)
    ]
    expected = float(torch.linalg.eigvalsh(torch.stack(columns))[-1])
    top = top_curvature(found, names, seconds=1e9)
    assert top.converged
    assert top.value == pytest.approx(expected, rel=2e-3)
    assert top.residual <= 1e-3 * top.value


def test_the_curvature_agrees_with_second_derivatives_of_autograd(kept):
    recorded = kept(training("layers")[0])
    found = replay(recorded.graph, recorded.tensors)
    model, values = layers().double(), {key: found.leaves[key] for key in recorded.parameters}
    x, y = recorded.tensors["batch.x"], recorded.tensors["batch.y"]
    names = list(values)

    def loss(*parts):
        output = torch.func.functional_call(model.eval(), dict(zip(names, parts, strict=True)), (x,))
        return functional.mse_loss(output, y)

    blocks = torch.autograd.functional.hessian(loss, tuple(values.values()))
    size = [each.numel() for each in values.values()]
    whole = torch.cat(
        [
            torch.cat([block.reshape(a, b) for block, b in zip(row, size, strict=True)], 1)
            for row, a in zip(blocks, size, strict=True)
        ]
    )
    top = top_curvature(found, names, seconds=1e9)
    assert top.value == pytest.approx(float(torch.linalg.eigvalsh(whole)[-1]), rel=2e-3)


def test_the_curvature_is_bounded_in_time(kept):
    recorded = kept(training("words")[0])
    found = replay(recorded.graph, recorded.tensors)
    ticks = iter(range(100))
    top = top_curvature(found, recorded.parameters, seconds=2.5, clock=lambda: next(ticks))
    assert not top.converged
    assert top.products == 3
    whole = top_curvature(found, recorded.parameters, seconds=1e9)
    assert top.value <= whole.value * (1 + 1e-6), "what is found in time is a lower bound"


def test_a_loss_without_parameters_has_no_curvature(kept):
    recorded = kept(training("layers")[0])
    found = replay(recorded.graph, recorded.tensors)
    assert top_curvature(found, [], seconds=1) == "the loss depends on no parameter whose values were kept"


def test_what_was_not_kept_is_named(kept):
    recorded = kept(training("layers")[0])
    tensors = {key: each for key, each in recorded.tensors.items() if key != "before.0.weight"}
    with pytest.raises(NotCovered, match=r"^the tensor 0.weight was not kept with this step$"):
        replay(recorded.graph, tensors)
    with pytest.raises(NotCovered, match=r"^no backward pass was recorded in this step$"):
        replay(StepGraph(1, []), recorded.tensors)


def test_a_dropout_without_its_mask_is_refused(kept):
    recorded = kept(training("dropout after relu")[0])
    tensors = {key: each for key, each in recorded.tensors.items() if not key.startswith("mask.")}
    assert len(tensors) == len(recorded.tensors) - 1
    # its output is known where it is small; its input is 0 wherever the relu before it is
    graph = StepGraph(
        1, [dataclasses.replace(each, values=None) if each.name == "dropout" else each for each in recorded.graph]
    )
    with pytest.raises(NotCovered, match=r"which entries dropout left out was not kept with this step"):
        replay(graph, tensors)


def test_no_other_function_of_pytorch_is_ever_called(kept):
    recorded = kept(training("layers")[0])
    graph = StepGraph(
        1, [dataclasses.replace(each, name="load" if each.name == "relu" else each.name) for each in recorded.graph]
    )
    with pytest.raises(NotCovered, match=r"^load can be computed neither by a closed form nor by a known function$"):
        replay(graph, recorded.tensors)


def test_an_operation_without_a_closed_form_says_so_and_keeps_its_gradient(kept):
    seen = {}

    def program():
        torch.manual_seed(1)
        weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        x = torch.randn(5, 4, dtype=torch.float64)
        for _ in range(2):
            loss = torch.erf(x @ weight).mean()
            loss.backward()
            seen.setdefault("gradient", weight.grad.clone())
            with torch.no_grad():
                weight -= 0.1 * weight.grad
            weight.grad = None

    recorded = kept(program)
    found = replay(recorded.graph, recorded.tensors)
    torch.testing.assert_close(found.gradients["weight"], seen["gradient"], rtol=1e-10, atol=1e-12)
    assert [one.why for one in found.worked.values() if one.why] == ["erf has no closed form here"]


def operation(index, name, inputs, values, **more):
    from descend.record.graph import operation_from

    shape = list(torch.as_tensor(values).shape)
    row = {"index": index, "name": name, "module": "", "file": "a.py", "line": index + 1, "inputs": inputs}
    return operation_from(1, row | {"shapes": [shape], "dtype": "float32", "values": values} | more)


def test_the_gradient_of_a_loop_by_hand_is_read_off_its_update():
    graph = StepGraph(
        1,
        [
            operation(0, "mul", ["x", "w"], [2.0, 4.0]),
            operation(1, "mean", [0], 3.0),
            operation(2, "mean", ["x"], 1.5),
            operation(3, "mul", [2], 0.15, constants={"1": 0.1}),
            operation(4, "sub", ["w", 3], 1.85),
        ],
    )
    tensors = {
        "before.w": torch.tensor(2.0),
        "after.w": torch.tensor(1.85),
        "loss": torch.tensor(3.0),
        "x": torch.tensor([1.0, 2.0]),
    }
    found = by_hand(graph, tensors)
    assert [one.index for one in found.losses] == [1]
    assert float(found.gradients["w"].gradient) == 1.5
    assert found.gradients["w"].line == 3
    assert found.lr == 0.1
    computed = replay(graph, tensors, found.losses, ["w"])
    assert float(computed.gradients["w"]) == 1.5
    assert by_hand(graph, {**tensors, "loss": torch.tensor(7.0)}) is None, "no number of the step is that loss"
    momentum = by_hand(graph, {**tensors, "after.w": torch.tensor(1.0)})
    assert not momentum.gradients, "an update that is no gradient times a rate is not taken for one"
