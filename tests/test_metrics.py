"""Metrics against scikit-learn, however the rows fall into batches."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from torch import nn

from descend.data.dataset import Examples
from descend.train import metrics
from descend.train.losses import LOSSES
from descend.train.metrics import Mistake, confused_pairs, evaluate, macro_f1, worst_mistakes


class Said(nn.Module):
    """A model whose outputs are its inputs."""

    def forward(self, x):
        return x


@pytest.fixture(params=[1, 3, 7, 4096])
def uneven(request, monkeypatch):
    monkeypatch.setattr(metrics, "ROWS_AT_ONCE", request.param)


def of_classes(logits, targets, loss="cross-entropy"):
    return evaluate(Said(), Examples(logits, targets), LOSSES[loss])


def of_values(outputs, targets, loss="mse"):
    return evaluate(Said(), Examples(outputs, targets), LOSSES[loss])


def check_classes(logits, targets, loss="cross-entropy"):
    """Every metric of classes against scikit-learn's; logits (N, classes)."""
    found = of_classes(logits, targets, loss)
    classes = logits.shape[1]
    truth, said = targets.numpy(), logits.double().argmax(1).numpy()
    shares = logits.double().softmax(1).numpy()
    labels = list(range(classes))
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(truth, said))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(truth, shares, labels=labels), rel=1e-9)
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(truth, said, average="macro"))
    assert found["confusion"] == oracle.confusion_matrix(truth, said, labels=labels).tolist()
    assert found["loss"] == pytest.approx(found["log_loss"], rel=1e-5, abs=1e-6)
    return found


@pytest.mark.parametrize("loss", ["cross-entropy", "nll"])
def test_classes_over_uneven_batches(uneven, loss):
    torch.manual_seed(0)
    check_classes(torch.randn(25, 4) * 3, torch.randint(4, (25,)), loss)


@given(
    rows=st.integers(1, 40),
    classes=st.integers(2, 6),
    used=st.integers(1, 6),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=40)
def test_classes_that_are_absent(rows, classes, used, seed):
    """Classes that nobody has and nobody says, that somebody says and nobody has, and the other way round."""
    torch.manual_seed(seed)
    check_classes(torch.randn(rows, classes) * 2, torch.randint(min(used, classes), (rows,)))


def test_a_class_that_only_the_truth_or_only_the_model_knows_counts_as_missed():
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])  # says 0, then 1
    found = check_classes(logits, torch.tensor([0, 2]))
    assert found["macro_f1"] == pytest.approx(1 / 3)
    assert found["confusion"] == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_macro_f1_leaves_out_classes_that_do_not_occur():
    assert macro_f1(torch.tensor([[3, 0, 0], [0, 0, 0], [0, 0, 2]])) == 1.0


def test_two_classes_by_one_logit(uneven):
    torch.manual_seed(1)
    logits, targets = torch.randn(25, 1) * 3, torch.randint(2, (25,))
    found = of_classes(logits, targets, "binary-cross-entropy")
    share = logits.double().sigmoid().flatten().numpy()
    truth, said = targets.numpy(), (share > 0.5).astype(int)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(truth, said))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(truth, share), rel=1e-9)
    assert found["loss"] == pytest.approx(found["log_loss"], rel=1e-5, abs=1e-6)
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(truth, said, average="macro"))
    assert found["confusion"] == oracle.confusion_matrix(truth, said, labels=[0, 1]).tolist()


@pytest.mark.parametrize("loss", ["cross-entropy", "nll"])
def test_huge_logits_keep_an_exact_log_loss(loss):
    found = of_classes(torch.tensor([[1e30, 0.0], [0.0, 1e4], [-3e38, 3e38]]), torch.tensor([0, 0, 1]), loss)
    assert found["log_loss"] == pytest.approx(1e4 / 3)
    assert found["loss"] == pytest.approx(1e4 / 3)
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_huge_logits_of_two_classes():
    found = of_classes(torch.tensor([[1e4], [-1e4], [1e30]]), torch.tensor([0, 0, 1]), "binary-cross-entropy")
    assert found["log_loss"] == found["loss"] == pytest.approx(1e4 / 3)
    assert found["confusion"] == [[1, 1], [0, 1]]


def test_outputs_that_are_no_numbers_are_no_crash():
    found = of_classes(torch.tensor([[math.nan, 0.0], [1.0, 0.0]]), torch.tensor([1, 0]))
    assert math.isnan(found["loss"])
    assert math.isnan(found["log_loss"])
    assert worst_mistakes(Said(), Examples(torch.full((2, 2), math.nan), torch.tensor([0, 1]))) == []


def check_values(outputs, targets):
    found = of_values(outputs, targets)
    said, truth = outputs.double().numpy(), targets.double().numpy()
    assert found["loss"] == pytest.approx(oracle.mean_squared_error(truth, said), rel=1e-5)
    assert found["rmse"] == pytest.approx(oracle.root_mean_squared_error(truth, said))
    assert found["mae"] == pytest.approx(oracle.mean_absolute_error(truth, said))
    if len(targets) > 1:
        assert found["r2"] == pytest.approx(oracle.r2_score(truth, said))
    return found


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_values_over_uneven_batches(uneven, columns):
    """Several target columns: the mean of the columns' own figures, which is scikit-learn's uniform average."""
    torch.manual_seed(2)
    targets = torch.randn(25, columns) * torch.tensor([1.0, 100.0, 0.01])[:columns] + 50
    check_values(targets + torch.randn(25, columns), targets)


@given(rows=st.integers(2, 40), columns=st.integers(1, 4), offset=st.floats(-1e4, 1e4), seed=st.integers(0, 2**20))
@settings(max_examples=40)
def test_values_of_any_shape(rows, columns, offset, seed):
    torch.manual_seed(seed)
    check_values(torch.randn(rows, columns) + offset, torch.randn(rows, columns) + offset)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", lambda error: (error**2).mean()),
        ("mae", lambda error: np.abs(error).mean()),
        ("huber", lambda error: np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5).mean()),
    ],
)
def test_the_loss_is_the_mean_over_all_rows(uneven, loss, expected):
    torch.manual_seed(3)
    outputs, targets = torch.randn(25, 2) * 3, torch.randn(25, 2)
    error = outputs.double().numpy() - targets.double().numpy()
    assert of_values(outputs, targets, loss)["loss"] == pytest.approx(expected(error), rel=1e-6)


def test_constant_targets_have_no_r2():
    outputs, targets = torch.tensor([[0.1], [0.3], [0.2]]), torch.full((3, 1), 0.1)
    assert of_values(outputs, targets)["r2"] is None
    assert of_values(targets, targets) == {"loss": 0.0, "rmse": 0.0, "mae": 0.0, "r2": None}
    both = torch.cat([targets, torch.tensor([[1.0], [2.0], [3.0]])], dim=1)
    assert of_values(both, both)["r2"] is None


def test_one_row_has_no_r2():
    found = of_values(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    assert found == {"loss": 4.0, "rmse": 2.0, "mae": 2.0, "r2": None}


def test_values_near_a_large_number_keep_their_digits():
    """A mean of float32 squares would lose them."""
    targets = torch.arange(1000.0).unsqueeze(1) + 1e6
    found = of_values(targets + 0.5, targets)
    assert found["rmse"] == found["mae"] == 0.5
    assert found["r2"] == pytest.approx(1 - 0.25 / ((1000**2 - 1) / 12), abs=1e-12)


def test_evaluation_changes_nothing():
    """Dropout is off, running means stay, gradients are not recorded, and each layer gets its own mode back."""
    torch.manual_seed(4)
    frozen = nn.BatchNorm1d(3)
    module = nn.Sequential(nn.Linear(3, 3), frozen, nn.Dropout(0.5), nn.BatchNorm1d(3), nn.Linear(3, 2)).train()
    frozen.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    random = torch.get_rng_state()
    examples = Examples(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)
    first = evaluate(module, examples, LOSSES["cross-entropy"])
    assert first == evaluate(module, examples, LOSSES["cross-entropy"])
    assert [layer.training for layer in module] == [True, False, True, True, True]
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(parameter.grad is None for parameter in module.parameters())


def test_worst_mistakes_are_the_surest_wrong_rows(uneven):
    torch.manual_seed(5)
    logits, targets = torch.randn(40, 3) * 2, torch.randint(3, (40,))
    shares = logits.double().softmax(1)
    wrong = [row for row in range(40) if int(shares[row].argmax()) != int(targets[row])]
    wrong.sort(key=lambda row: -float(shares[row].max()))
    found = worst_mistakes(Said(), Examples(logits, targets), most=5)
    assert [mistake.index for mistake in found] == wrong[:5]
    for mistake in found:
        assert mistake.said == int(shares[mistake.index].argmax())
        assert mistake.share == pytest.approx(float(shares[mistake.index].max()))
        assert mistake.truth == int(targets[mistake.index])


def test_equally_sure_mistakes_come_in_the_order_of_their_rows(uneven):
    logits = torch.tensor([[9.0, 0.0]]).repeat(10, 1)
    found = worst_mistakes(Said(), Examples(logits, torch.ones(10, dtype=torch.int64)))
    assert [mistake.index for mistake in found] == [0, 1, 2]


def test_no_mistakes_and_fewer_than_asked_for():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
    assert worst_mistakes(Said(), Examples(logits, torch.tensor([0, 1, 1]))) == []
    only = worst_mistakes(Said(), Examples(logits, torch.tensor([0, 1, 0])))
    assert only == [Mistake(2, 1, pytest.approx(1 / (1 + math.exp(-3))), 0)]


def test_worst_mistakes_of_two_classes_by_one_logit():
    found = worst_mistakes(Said(), Examples(torch.tensor([[-3.0], [1.0], [2.0]]), torch.tensor([1, 0, 1])))
    assert [(one.index, one.said, one.truth) for one in found] == [(0, 0, 1), (1, 1, 0)]
    assert found[0].share == pytest.approx(1 / (1 + math.exp(-3)))


def test_confused_pairs_count_both_directions():
    confusion = [[50, 2, 0, 1], [3, 40, 0, 0], [0, 0, 30, 4], [0, 4, 0, 20]]
    assert confused_pairs(confusion) == [(0, 1, 5), (1, 3, 4), (2, 3, 4)]
    assert confused_pairs(confusion, most=9) == [(0, 1, 5), (1, 3, 4), (2, 3, 4), (0, 3, 1)]
    assert confused_pairs([[5, 0], [0, 5]]) == []
    assert confused_pairs([[7]]) == []
