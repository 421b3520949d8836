"""Everything before the first step: the plan of a training, the split, the order of the rows."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from descend.data.arrays import from_arrays
from descend.data.catalogue import CATALOGUE
from descend.errors import DataError, ModelError, RecipeError, UsageError
from descend.train import prepare
from descend.train.choices import Machine
from descend.train.prepare import describe, permutation, plan, split
from descend.train.recipe import ACTIVATIONS, INITIAL_VALUES, LOSSES_OF_CLASSES, LOSSES_OF_VALUES, MODELS, Recipe


@pytest.fixture
def write(tmp_path):
    """Writes a user's file and gives the path to its class Net."""

    def written(text):
        path = tmp_path / "net.py"
        path.write_text("import torch\nfrom torch import nn\n\n\n" + text, encoding="utf-8")
        return f"{path}:Net"

    return written


def table(rows=20, columns=3, classes=2):
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(rows) % classes if classes else torch.randn(rows, 1, generator=generator)
    return from_arrays(torch.randn(rows, columns, generator=generator), targets)


def test_scores_begin_where_they_were_published():
    """manual_seed(42), w = randn(1) = 0.3367, then b = randn(1) = 0.1288."""
    module = plan("scores", {}).module
    torch.manual_seed(42)
    w, b = torch.randn(1), torch.randn(1)
    assert (module[0].weight.item(), module[0].bias.item()) == (w.item(), b.item())
    assert (round(w.item(), 4), round(b.item(), 4)) == (0.3367, 0.1288)


def test_scores_two_begin_where_they_were_published():
    for layout in ("rows", "reshape"):
        module = plan("scores-two", {"layout": layout}).module
        assert [round(value, 4) for value in module[0].weight.flatten().tolist()] == [0.3367, 0.1288]
        assert round(module[0].bias.item(), 4) == 0.2345


def test_a_line_draws_its_points_and_then_its_model_from_one_seed():
    made = plan("line", {"seed": 5})
    torch.manual_seed(5)
    x, noise = torch.randn(10, 1), torch.randn(10, 1)
    assert torch.equal(made.dataset.train.features, x)
    assert torch.equal(made.dataset.train.targets, x @ torch.tensor([[2.0]]) + 1.0 + noise * 0.1)
    assert torch.equal(made.module[0].weight, torch.randn(1, 1))
    assert torch.equal(made.module[0].bias, torch.randn(1))


def test_the_default_model_is_a_plain_stack_of_the_same_seed():
    made = plan(table(), {"seed": 3, "sizes": [7]})
    torch.manual_seed(3)
    plain = nn.Sequential(nn.Linear(3, 7), nn.ReLU(), nn.Linear(7, 2))
    for ours, theirs in zip(made.module.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_plan_of_a_set_can_be_made_without_loading_it():
    for name, info in CATALOGUE.items():
        made = plan(name, {}, load=False)
        assert made.dataset is None
        assert made.info is info
        assert (made.recipe.gradients, made.recipe.threads) == ("by-hand", 1)
        assert made.layers is not None


def test_there_is_no_such_set():
    with pytest.raises(DataError) as caught:
        plan("mnits", {})
    assert caught.value.what == "there is no built-in set 'mnits' (did you mean 'mnist'?)"


@pytest.mark.parametrize(
    ("given_settings", "gradients", "reason"),
    [
        ({}, "by-hand", "the model is a stack of linear layers and activations: its derivatives are known"),
        ({"model": "linear"}, "by-hand", "the model is one linear layer: its derivatives are known"),
        ({"loss": "binary-cross-entropy"}, "autograd", "closed forms do not cover this model and loss"),
        ({"gradients": "autograd"}, "autograd", "you said so"),
        ({"gradients": "by-hand"}, "by-hand", "you said so"),
    ],
)
def test_the_way_to_the_gradients_is_chosen_and_said(given_settings, gradients, reason):
    made = plan(table(), given_settings)
    assert made.recipe.gradients == gradients
    assert (made.layers is not None) == (gradients == "by-hand")
    choice = next(choice for choice in made.choices if choice.key == "gradients")
    assert choice.value == gradients
    assert choice.reason.startswith(reason)


def test_gradients_by_hand_do_not_reach_everything():
    with pytest.raises(RecipeError) as caught:
        plan(table(), {"loss": "binary-cross-entropy", "gradients": "by-hand"})
    assert caught.value.what == (
        "gradients = by-hand covers stacks of linear, relu, tanh and sigmoid layers under mse, cross-entropy or nll, "
        "and this is mlp under binary-cross-entropy"
    )
    assert caught.value.help == "leave gradients out, or choose autograd"


def test_small_products_run_on_one_thread(monkeypatch):
    monkeypatch.setattr(prepare, "this_machine", lambda: Machine(cuda=False, mps=False, cores=6))
    assert plan(table(), {}).recipe.threads == 1
    assert plan(table(), {"gradients": "autograd"}).recipe.threads == 1
    assert plan(table(), {"threads": 3}).recipe.threads == 3
    assert plan(table(rows=2000), {"sizes": [5000], "batch_size": "all"}).recipe.threads == 6
    assert plan("mnist", {"model": "cnn"}, load=False).recipe.threads == 6
    large = plan(table(rows=2000), {"sizes": [5000], "batch_size": "all"})
    assert [choice.reason for choice in large.choices if choice.key == "threads"] == ["one for each processor core"]


MIXED = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.scale = nn.Parameter(torch.ones(2, dtype=torch.float64))

    def forward(self, x):
        return (self.layer(x) * self.scale).float()
"""


def test_a_model_with_parameters_of_two_types(write):
    model = write(MIXED)
    with pytest.raises(ModelError) as caught:
        plan(table(), {"model": model})
    assert caught.value.where == model
    assert caught.value.what == "the parameter 'layer.weight' is float32 and 'scale' is float64"
    assert "self.float()" in caught.value.help


def test_a_split_takes_every_row_once():
    dataset = table(rows=50)
    train, validation = split(dataset, Recipe(validation=0.3, seed=4))
    assert (len(train), len(validation)) == (35, 15)
    together = torch.cat([train.features, validation.features])
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, dataset.train.features.tolist()))
    for part in (train, validation):
        places = [dataset.train.features.tolist().index(row) for row in part.features.tolist()]
        assert places == sorted(places)
        assert torch.equal(part.targets, dataset.train.targets[places])
    again, _ = split(dataset, Recipe(validation=0.3, seed=4))
    other, _ = split(dataset, Recipe(validation=0.3, seed=5))
    assert torch.equal(train.features, again.features)
    assert not torch.equal(train.features, other.features)


def test_without_a_validation_share_the_rows_are_used_where_they_are():
    dataset = table()
    train, validation = split(dataset, Recipe())
    assert train is dataset.train
    assert validation is None


@given(rows=st.integers(1, 200), seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10_000_000))
def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone(rows, seed, epoch):
    random = torch.get_rng_state()
    order = permutation(rows, seed, epoch)
    assert sorted(order.tolist()) == list(range(rows))
    torch.rand(7)
    assert torch.equal(order, permutation(rows, seed, epoch))
    torch.set_rng_state(random)


def test_each_epoch_and_each_seed_has_its_own_order():
    orders = {tuple(permutation(50, seed, epoch).tolist()) for seed in range(5) for epoch in range(20)}
    assert len(orders) == 100


def test_what_a_plan_has_to_know_of_ones_own_rows():
    info = describe(table(rows=20, columns=3, classes=2))
    assert (info.task, info.feature_shape, info.outputs, info.train_rows, info.test_rows) == ("classes", (3,), 2, 20, 0)
    assert describe(table(classes=0)).task == "values"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(MODELS),
            "sizes": st.lists(st.integers(1, 9), max_size=3),
            "activation": st.sampled_from(ACTIVATIONS),
            "initial": st.sampled_from(INITIAL_VALUES),
            "loss": st.sampled_from(LOSSES_OF_VALUES + LOSSES_OF_CLASSES),
            "gradients": st.sampled_from(["auto", "autograd", "by-hand"]),
            "batch_size": st.sampled_from([1, 7, "all"]),
            "seed": st.integers(0, 9),
        },
    ),
    st.sampled_from(["scores", "scores-two", "classes", "images"]),
)
@settings(max_examples=60)
def test_any_plan_is_made_or_refused_in_words(given_settings, name):
    data = {
        "classes": table(),
        "images": from_arrays(torch.zeros(9, 1, 4, 4), torch.arange(9) % 3),
    }.get(name, name)
    try:
        made = plan(data, given_settings)
    except UsageError as error:
        assert error.what
        assert error.help
        return
    output = made.module(made.dataset.train.features)
    made.loss.mean(output, made.loss.prepare(made.dataset.train.targets)).backward()
    assert made.recipe.gradients in ("autograd", "by-hand")
