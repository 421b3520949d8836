"""A step worked out: every section's numbers beside plain PyTorch, and what is said where something is missing."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import descend
from descend.errors import RecordError, UsageError
from descend.explain.step import work_out
from descend.record.reader import Reader
from descend.record.summarise import finite

HOURS, SCORES = [2.0, 4.0, 6.0, 8.0, 10.0], [75.0, 80.0, 90.0, 94.0, 98.0]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Two small trainings by ``train``."""
    folder = tmp_path_factory.mktemp("runs")
    descend.train("scores", epochs=12, name="scores", runs=str(folder), progress=False)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 5, generator=generator), torch.randint(0, 3, (40,), generator=generator)
    settings = {"model": "mlp", "sizes": [7], "epochs": 4, "batch_size": 8, "optimizer": "adamw", "lr": 0.01}
    descend.train((x, y), name="classes", runs=str(folder), progress=False, **settings)
    descend.train((x, y), name="clipped", runs=str(folder), progress=False, **settings, clip=0.05)
    return folder


def worked(folder, **arguments):
    with Reader(folder) as reader:
        found = work_out(reader, **arguments)
    json.dumps(finite(found), allow_nan=False)
    return found


def scores_by_pytorch():
    """The first step of the scores as plain PyTorch takes it."""
    torch.manual_seed(42)
    w, b = torch.randn(1).requires_grad_(), torch.randn(1).requires_grad_()
    x, y = torch.tensor(HOURS), torch.tensor(SCORES)
    prediction = x * w + b
    loss = functional.mse_loss(prediction, y)
    loss.backward()
    return w.item(), b.item(), prediction.detach(), loss.item(), w.grad.item(), b.grad.item()


def test_the_scores_are_those_of_pytorch(runs):
    w, _, prediction, loss, gradient, gradient_b = scores_by_pytorch()
    found = worked(runs / "scores", step=1, parameter="output.weight")
    assert [each["name"] for each in found["data"]] == ["x", "y"]
    assert found["data"][0]["values"] == HOURS
    assert found["data"][1]["values"] == SCORES
    linear, squared = found["forward"]
    assert linear["name"] == "linear"
    assert linear["values"] == pytest.approx(prediction.tolist(), rel=1e-6)
    assert linear["entry"] == "2·0.3367 + 0.1288 = 0.8022"
    assert squared["name"] == "mse_loss"
    assert found["loss"]["value"] == pytest.approx(loss, rel=1e-6)
    assert found["loss"]["recorded"] == pytest.approx(loss, rel=1e-6)
    assert found["verdict"]["value"] == pytest.approx(gradient, rel=1e-6)
    assert found["verdict"]["agrees"] is True
    assert found["verdict"]["digits"] >= 6
    rows = {row["parameter"]: row for row in found["gradients"]}
    assert rows["output.weight"]["norm"] == pytest.approx(abs(gradient), rel=1e-6)
    assert rows["output.bias"]["norm"] == pytest.approx(abs(gradient_b), rel=1e-6)
    assert found["update"]["old"] == pytest.approx(w)
    assert found["update"]["recorded"] == pytest.approx(w - 0.01 * gradient, rel=1e-6)
    assert found["update"]["agrees"] is True


def test_the_figures_of_the_scores(runs):
    found = worked(runs / "scores", step=1, parameter="output.weight")
    assert found["update"]["shown"] == ["0.3367", "10.993"]
    assert found["update"]["lines"] == ["θ ← θ − lr·g = 0.3367 − 0.01·(−1,065.6) = 10.993"]
    assert found["backward"][-1]["entry"] == "−29.68·2 − 31.41·4 − … − 37.80·10 = −1,065.6"
    land = found["landscape"]
    x = torch.tensor([[hour, 1.0] for hour in HOURS], dtype=torch.float64)
    values = torch.linalg.eigvalsh(2 / 5 * x.T @ x)
    assert land["eigenvalues"] == pytest.approx(values.tolist())
    assert land["condition"] == pytest.approx(float(values[1] / values[0]))
    assert land["largest_stable_lr"] == pytest.approx(float(2 / values[1]))
    assert round(land["largest_stable_lr"], 4) == 0.0223
    solved = torch.linalg.lstsq(x, torch.tensor(SCORES, dtype=torch.float64)[:, None]).solution
    floor = float((x @ solved - torch.tensor(SCORES, dtype=torch.float64)[:, None]).square().mean())
    assert land["floor"] == pytest.approx(floor)
    assert found["curvature"] is None


def test_the_epochs_that_are_promised_are_those_it_takes(runs):
    land = worked(runs / "scores", step=1)["landscape"]
    w, b = scores_by_pytorch()[:2]
    x, y = torch.tensor(HOURS, dtype=torch.float64), torch.tensor(SCORES, dtype=torch.float64)
    losses = []
    for _ in range(land["epochs_now"] + 1):
        off = w * x + b - y
        losses.append(float(off.square().mean()))
        w, b = w - 0.01 * float(2 * (off * x).mean()), b - 0.01 * float(2 * off.mean())
    assert losses[-1] <= land["close"] < losses[-2]


@pytest.mark.parametrize("row", [0, 3])
def test_the_term_of_a_row(runs, row):
    found = worked(runs / "scores", step=1, row=row)
    prediction = scores_by_pytorch()[2]
    assert found["loss"]["term"]["row"] == row
    assert found["loss"]["term"]["value"] == pytest.approx(float((prediction[row] - SCORES[row]) ** 2), rel=1e-5)
    assert found["loss"]["term"]["text"].startswith("(0.8022 − 75)²" if row == 0 else "(2.822 − 94)²")


def test_a_network_with_adam(runs):
    found = worked(runs / "classes", step=10, parameter="hidden1.weight")
    with Reader(runs / "classes") as reader:
        tensors = reader.tensors(10)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)).double()
    names = ["hidden1.weight", "hidden1.bias", "output.weight", "output.bias"]
    for parameter, name in zip(model.parameters(), names, strict=True):
        parameter.data = tensors[f"before.{name}"].double()
    output = model(tensors["batch.x"].double())
    loss = functional.cross_entropy(output, tensors["batch.y"])
    loss.backward()
    assert found["loss"]["value"] == pytest.approx(loss.item(), rel=1e-12)
    place = tuple(found["verdict"]["entry"])
    assert found["verdict"]["value"] == pytest.approx(model[0].weight.grad[place].item(), rel=1e-4)
    assert [each["parameter"] for each in found["gradients"]] == names
    assert all(each["agrees"] for each in found["gradients"])
    for each, parameter in zip(found["gradients"], model.parameters(), strict=True):
        assert each["norm"] == pytest.approx(parameter.grad.norm().item(), rel=1e-4)
    assert found["update"]["optimizer"] == "AdamW"
    assert found["update"]["agrees"] is True
    assert [each["name"] for each in found["backward"]] == ["cross_entropy", "linear", "relu", "linear"]
    assert found["landscape"] is None
    assert found["curvature"]["converged"]


def test_the_largest_gradient_is_followed_by_itself(runs):
    found = worked(runs / "classes", step=1)
    with Reader(runs / "classes") as reader:
        gradients = {key[9:]: value for key, value in reader.tensors(1).items() if key.startswith("gradient.")}
    assert found["parameter"] == max(gradients, key=lambda name: gradients[name].abs().max())
    entry = tuple(found["verdict"]["entry"])
    assert gradients[found["parameter"]][entry].abs() == gradients[found["parameter"]].abs().max()


def test_a_clipped_training_shows_what_the_update_took(runs):
    found = worked(runs / "clipped", step=1)
    assert all(each["agrees"] for each in found["gradients"])
    assert found["update"]["lines"][0].startswith("g ← g·c/‖g‖ = ")
    assert found["update"]["agrees"] is True


def test_a_step_that_was_not_kept_offers_the_nearest(runs):
    with pytest.raises(RecordError) as raised:
        worked(runs / "classes", step=7)
    assert raised.value.what == "step 7 was not kept in full"
    assert raised.value.help == "the nearest steps kept are 1 and 10"


def test_a_parameter_that_does_not_exist(runs):
    with pytest.raises(UsageError) as raised:
        worked(runs / "scores", parameter="output.wieght")
    assert raised.value.what == "step 1 has no parameter output.wieght (did you mean 'output.weight'?)"
    assert raised.value.help == "its parameters are output.weight, output.bias"


@pytest.mark.parametrize("row", [5, -1])
def test_a_row_out_of_range(runs, row):
    with pytest.raises(UsageError) as raised:
        worked(runs / "scores", row=row)
    assert raised.value.what == f"step 1 has no row {row}"
    assert raised.value.help == "its batch has the rows 0 to 4"


def test_a_run_without_snapshots(tmp_path):
    with descend.watch("nothing", runs=str(tmp_path)):
        torch.ones(3).sum()
    with pytest.raises(RecordError) as raised:
        worked(tmp_path / "nothing")
    assert raised.value.what == "no step of this run was kept in full"


def watched(tmp_path, program):
    with descend.watch(runs=str(tmp_path)) as run:
        program()
    return run


@pytest.mark.parametrize(("dtype", "digits"), [(torch.float64, 12), (torch.float32, 5), (torch.bfloat16, 1)])
def test_other_kinds_of_numbers(tmp_path, dtype, digits):
    def program():
        torch.manual_seed(0)
        x, y = torch.randn(16, 3, dtype=dtype), torch.randn(16, 1, dtype=dtype)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)).to(dtype)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(2):
            optimizer.zero_grad()
            functional.mse_loss(model(x), y).backward()
            optimizer.step()

    found = worked(watched(tmp_path, program).path)
    assert found["data"][0]["dtype"] == str(dtype).removeprefix("torch.")
    assert all(each["agrees"] and each["digits"] >= digits for each in found["gradients"])
    assert found["verdict"]["agrees"] is True
    assert found["update"]["agrees"] is True


def gradients_by_autograd(tmp_path, optimizer, *, groups=False):
    def program():
        torch.manual_seed(0)
        x, y = torch.randn(16, 3), torch.randn(16, 1)
        model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        parameters = list(model.parameters())
        if groups:
            parameters = [
                {"params": parameters[:2], "weight_decay": 0.5},
                {"params": parameters[2:], "weight_decay": 0.0, "lr": 0.3},
            ]
        used = optimizer(parameters)
        for _ in range(12):
            used.zero_grad()
            functional.mse_loss(model(x), y).backward()
            used.step()

    return watched(tmp_path, program)


@pytest.mark.parametrize("step", [1, 10])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
        lambda parameters: torch.optim.Adam(parameters, lr=0.01, betas=(0.5, 0.9)),
        lambda parameters: torch.optim.RMSprop(parameters, lr=0.01, momentum=0.5),
        lambda parameters: torch.optim.Adagrad(parameters, lr=0.1),
    ],
)
def test_the_update_of_a_watched_script(tmp_path, optimizer, step):
    found = worked(gradients_by_autograd(tmp_path, optimizer).path, step=step)
    assert found["update"]["agrees"] is True
    assert found["zero"] == {"cleared": 4, "seen": True, "written_anew": False}


def test_each_group_of_parameters_has_its_own_settings(tmp_path):
    run = gradients_by_autograd(tmp_path, lambda groups: torch.optim.SGD(groups, lr=0.05), groups=True)
    for name in ("0.weight", "2.weight"):
        found = worked(run.path, parameter=name)
        assert found["update"]["agrees"] is True
        assert any("λ" in line for line in found["update"]["lines"]) is (name == "0.weight")


def test_an_update_that_is_not_known_says_so(tmp_path):
    found = worked(gradients_by_autograd(tmp_path, lambda parameters: torch.optim.NAdam(parameters, lr=0.1)).path)
    assert found["update"]["lines"] == []
    assert found["update"]["why"] == "the arithmetic of NAdam with these settings is not known here"
    assert found["verdict"]["agrees"] is True


def test_a_step_that_cannot_be_computed_once_more_shows_its_record(tmp_path):
    def program():
        torch.manual_seed(0)
        x, y = torch.randn(16, 3), torch.randn(16, 1)
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            functional.mse_loss(torch.lgamma(model(x).abs()), y).backward()
            optimizer.step()

    found = worked(watched(tmp_path, program).path)
    why = "lgamma can be computed neither by a closed form nor by a known function"
    assert found["notes"] == [
        f"The step could not be computed once more: {why}. Its numbers are those of the record.",
    ]
    assert [each["name"] for each in found["forward"] if each["followed"]] == ["linear", "abs", "lgamma", "mse_loss"]
    assert math.isfinite(found["loss"]["value"])
    assert found["update"]["agrees"] is True
    assert found["verdict"] is None


def test_an_explanation_shows_itself_everywhere(tmp_path, runs):
    run = gradients_by_autograd(tmp_path, lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    found = run.explain(1, parameter="0.weight", row=2)
    assert found.data["row"] == 2
    assert str(found).startswith(f"step 1 of {run.path.name} · followed: row 2, 0.weight[")
    assert repr(found) == f"Explanation(run='{run.path.name}', step=1, parameter='0.weight')"
    assert "<pre" in found._repr_html_()
    assert "closed form ✓ differences ✓" in found._repr_html_()
    assert str(descend.Run(runs / "scores").explain()) == str(descend.Run(runs / "scores").explain(step=1, row=0))


def test_nothing_is_explained_before_the_block_has_ended(tmp_path):
    with descend.watch(runs=str(tmp_path)) as run, pytest.raises(RecordError) as raised:
        run.explain()
    assert raised.value.what == "there is no step to explain yet"


def test_a_number_that_disagrees_is_never_hidden(tmp_path, monkeypatch):
    run = gradients_by_autograd(tmp_path, lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    from descend.explain import step as module

    kept = module.recorded_step

    def tampered(reader, step):
        recorded = kept(reader, step)
        wrong = {**recorded.tensors, "gradient.2.bias": recorded.tensors["gradient.2.bias"] * 1.01}
        return dataclasses.replace(recorded, tensors=wrong)

    monkeypatch.setattr(module, "recorded_step", tampered)
    found = worked(run.path, parameter="2.bias")
    assert found["verdict"]["agrees"] is False
    assert found["verdict"]["line"].startswith("they disagree: shown ")
    assert found["update"]["agrees"] is False
    assert [each["agrees"] for each in found["gradients"] if each["parameter"] == "2.bias"] == [False]
