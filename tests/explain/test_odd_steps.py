"""Steps that are not quite like others: kept in part, in bfloat16, cleared or updated by hand, sums of many terms."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import descend
from descend.explain.formulas.words import number
from descend.explain.step import work_out
from descend.record.reader import Reader


def test_of_a_batch_too_large_to_be_kept_no_witness_is_asked(tmp_path):
    x, y = torch.randn(2000, 600), torch.randint(0, 3, (2000,))
    run = descend.train((x, y), runs=str(tmp_path), model="softmax", batch_size="all", epochs=1, progress=False)
    with Reader(run.path) as reader:
        found = work_out(reader)
    [note] = found["notes"]
    assert note == (
        "Only a part was kept: of the batch, the first 1,666 of 2,000 rows. Forward shows these; loss, gradients and update are"
        " of all rows, as the run computed them, so that no witness can be asked."
    )
    assert found["loss"]["value"] == pytest.approx(run.losses[0])
    assert found["forward"][0]["shape"] == [1666, 3]
    assert (found["verdict"], found["gradients"], found["curvature"]) == (None, [], None)
    assert found["update"]["agrees"] is True


def test_gradients_that_a_script_clears_itself_are_counted(watched):
    def program():
        w, b = torch.ones(3, requires_grad=True), torch.zeros(1, requires_grad=True)
        for _ in range(2):
            ((torch.ones(4, 3) @ w + b) ** 2).mean().backward()
            with torch.no_grad():
                w -= 0.01 * w.grad
                b -= 0.01 * b.grad
            w.grad.zero_()
            b.grad.zero_()

    found = work_out(watched(program), step=1)
    assert found["zero"] == {"cleared": 2, "seen": True, "written_anew": False}
    assert [row["parameter"] for row in found["gradients"]] == ["w", "b"]


def test_a_sum_of_many_terms_is_shown_by_its_value(watched):
    def program():
        torch.manual_seed(0)
        conv = nn.Conv2d(1, 2, 3)
        optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            conv(torch.ones(2, 1, 5, 5)).square().mean().backward()
            optimizer.step()

    found = work_out(watched(program), step=1, parameter="weight")
    last = found["backward"][-1]
    assert last["name"] == "conv2d"
    assert last["entry"] == f"∂L/∂weight{found['verdict']['entry']} = {number(found['verdict']['value'])}"


@pytest.mark.parametrize("how", ["autocast", "parameters"])
def test_a_step_in_bfloat16_is_held_to_what_that_can_say(watched, how):
    def program():
        torch.manual_seed(0)
        dtype = torch.bfloat16 if how == "parameters" else torch.float32
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).to(dtype)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x, y = torch.randn(16, 4).to(dtype), torch.randint(0, 2, (16,))
        for _ in range(2):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how == "autocast"):
                loss = functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()

    found = work_out(watched(program), step=1)
    assert found["notes"] == [
        "The run computed in bfloat16, which rounds to 2 digits; here everything is worked out in float64."
    ]
    assert found["verdict"]["agrees"] is True
    assert all(row["agrees"] for row in found["gradients"])
    assert found["update"]["agrees"] is True


def test_the_rate_of_an_update_by_hand_is_held_against_the_curvature(watched):
    def program():
        torch.manual_seed(0)
        w = torch.randn(4, 3, requires_grad=True)
        x, y = torch.randn(20, 4), torch.randint(0, 3, (20,))
        for _ in range(2):
            loss = functional.cross_entropy(x @ w, y)
            loss.backward()
            with torch.no_grad():
                w -= 0.5 * w.grad
                w.grad.zero_()

    found = work_out(watched(program), step=1)
    assert found["update"]["agrees"] is True
    assert found["curvature"]["plain"] is True
    assert found["curvature"]["lr"] == pytest.approx(0.5)
