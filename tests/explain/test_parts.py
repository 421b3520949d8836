"""Operations with several outputs are computed once more: every output goes where the run took it, and its gradient comes back."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from descend.explain.step import work_out


def train(module, x, loss_of):
    """Two steps of a module, whose gradients autograd gives."""

    def program():
        torch.manual_seed(0)
        model, rows = module(), x()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            loss_of(model, rows).backward()
            optimizer.step()

    return program


def cut(how):
    def loss_of(model, x):
        first, *others = how(model(x))
        total = first.square().mean()
        for place, each in enumerate(others, 2):
            total = total + place * each.pow(3).mean()
        return total

    return train(lambda: nn.Linear(4, 6), lambda: torch.randn(5, 4), loss_of)


@pytest.mark.parametrize(
    "how",
    [
        lambda z: z.split(2, dim=1),
        lambda z: z.split([1, 2, 3], -1),
        lambda z: torch.split(z, 4, dim=1),
        lambda z: z.chunk(3, dim=1),
        lambda z: torch.chunk(z, 2),
        lambda z: z.unbind(1),
        torch.unbind,
        lambda z: z.tensor_split(4, dim=1),
        lambda z: (z.split(3, 1)[1], z.split(3, 1)[0]),
    ],
)
def test_pieces_have_a_closed_form(watched, how):
    found = work_out(watched(cut(how)), step=1, parameter="weight")
    assert found["verdict"]["agrees"] is True
    assert found["verdict"]["line"].startswith("closed form ✓ differences ✓")
    assert all(row["agrees"] and not row["why"] for row in found["gradients"])
    [link] = [each for each in found["backward"] if each["name"] in ("split", "chunk", "unbind", "tensor_split")][:1]
    assert link["derivative"] == "∂L/∂x = ∂L/∂y₁, ∂L/∂y₂, … put together again"


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(layer.hidden_size * (1 + layer.bidirectional), 1)

    def forward(self, x):
        output, state = self.layer(x)
        last = state[-1] if isinstance(state, tuple) else state
        return self.head(output[:, -1]) + last.square().mean()


@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.LSTM(3, 4, batch_first=True),
        lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        lambda: nn.GRU(3, 4, batch_first=True, bias=False),
        lambda: nn.RNN(3, 4, batch_first=True),
        lambda: nn.RNN(3, 4, batch_first=True, nonlinearity="relu"),
    ],
)
def test_a_recurrent_layer_keeps_the_second_witness(watched, layer):
    program = train(
        lambda: Recurrent(layer()), lambda: torch.randn(6, 5, 3), lambda m, x: F.mse_loss(m(x), x[:, 0, :1])
    )
    found = work_out(watched(program), step=1, parameter="layer.weight_hh_l0")
    name = next(each["name"] for each in found["forward"] if each["module"] == "layer" and each["why"])
    assert found["verdict"]["line"].startswith(f"closed form – ({name} has no closed form here) differences ✓")
    rows = {row["parameter"]: row for row in found["gradients"]}
    assert rows["layer.weight_hh_l0"]["agrees"]
    assert rows["layer.weight_hh_l0"]["why"] == f"by autograd in float64, {name} has no closed form here"
    assert rows["head.weight"]["why"] == ""


class Attending(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.attention, self.need_weights = nn.MultiheadAttention(6, 2, **settings), not settings

    def forward(self, x):
        output, weights = self.attention(x, x, x, need_weights=self.need_weights)
        return output.square().mean() + (0 if weights is None else weights.pow(3).mean())


@pytest.mark.parametrize("settings", [{}, {"batch_first": True}], ids=str)
def test_an_attention_layer_keeps_the_second_witness(watched, settings):
    program = train(lambda: Attending(**settings), lambda: torch.randn(4, 5, 6), lambda m, x: m(x))
    found = work_out(watched(program), step=1, parameter="attention.in_proj_weight")
    assert "(multi_head_attention_forward has no closed form here) differences ✓" in found["verdict"]["line"]
    assert all(row["agrees"] for row in found["gradients"])


def test_a_block_of_a_transformer_has_both_witnesses(watched):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.norm = nn.Embedding(7, 8), nn.LayerNorm(8)
            self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, 7)

        def forward(self, ids):
            x = self.tokens(ids)  # (3, 5, 8)
            q, k, v = (each.view(3, 5, 2, 4).transpose(1, 2) for each in self.qkv(self.norm(x)).split(8, dim=2))
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(3, 5, 8)
            return self.head(x + seen)

    def loss_of(model, ids):
        return F.cross_entropy(model(ids).view(-1, 7), ids.view(-1))

    program = train(Block, lambda: torch.randint(0, 7, (3, 5)), loss_of)
    found = work_out(watched(program), step=1, parameter="qkv.weight")
    assert found["verdict"]["line"].startswith("closed form ✓ differences ✓")
    assert all(row["agrees"] and not row["why"] for row in found["gradients"])


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (
            lambda: Recurrent(nn.LSTM(3, 4, num_layers=2, dropout=0.5, batch_first=True)),
            "which entries the dropout of lstm left out was not kept with this step",
        ),
        (
            lambda: Attending(dropout=0.5),
            "which weights the dropout of multi_head_attention_forward left out was not kept with this step",
        ),
    ],
)
def test_what_cannot_be_computed_once_more_is_said(watched, module, said):
    def loss_of(model, x):
        return model(x).square().mean()

    inputs = 6 if "Attending" in str(type(module())) else 3
    found = work_out(watched(train(module, lambda: torch.randn(4, 5, inputs), loss_of)), step=1)
    assert found["notes"] == [f"The step could not be computed once more: {said}. Its numbers are those of the record."]
    assert found["update"]["agrees"] is True
