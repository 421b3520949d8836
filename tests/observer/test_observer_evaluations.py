"""What is told of evaluations for the checks: the modes of layers, and the numbers that were read out of tensors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from descend.record.events import Evaluation, Event, Fact, ModuleCalls, Operations
from descend.watch.layers import Look
from descend.watch.names import Names
from descend.watch.observer import Observer
from descend.watch.operations import OperationRecorder
from descend.watch.passes import Passes
from descend.watch.places import Places

STEPS = 30  # more than are looked at


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.25), nn.Linear(8, 2))


def rows(n: int) -> TensorDataset:
    x = torch.randn(n, 4)
    return TensorDataset(x, (x.sum(1) > 0).long())


def trained(model: nn.Module, steps: int = STEPS) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    for _ in range(steps):
        x, y = rows(16).tensors
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def in_training_mode():
    model, held, right = net(), DataLoader(rows(50), batch_size=20), 0
    trained(model)
    with torch.no_grad():
        for x, y in held:
            right += (model(x).argmax(1) == y).sum().item()
    return right, model.state_dict()


def in_evaluation_mode():
    model, x = net(), torch.randn(50, 4)
    for _ in range(3):
        trained(model, 10)
        model.eval()
        with torch.no_grad():
            model(x)
        model.train()
    return model.state_dict()


def with_gradients():
    model, held = net(), DataLoader(rows(40), batch_size=10)
    trained(model)
    return [model(x).sum().item() for x, _ in held]


def in_a_class_of_its_own():
    class Thinned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(F.dropout(x, 0.1))

    model = Thinned()
    trained(model)
    model.eval()
    with torch.no_grad():
        return model(torch.randn(8, 4))


def facts(seen: Any, kind: str) -> list[Fact]:
    return [fact for fact in seen.all(Fact) if fact.kind == kind]


def test_layers_in_training_mode_are_told(watch: Callable[..., Any]) -> None:
    seen = watch(in_training_mode)
    [fact] = facts(seen, "evaluation")
    assert fact.place == seen.line("right +=")
    assert fact.values["trained"] is True
    assert fact.values["apart"] is True
    assert [each["what"] for each in fact.values["heard"]] == ["batch norm", "dropout"]
    assert [each.get("p") for each in fact.values["heard"]] == [None, 0.25]
    assert [each["module"] for each in fact.values["standing"]] == ["1", "2"]
    assert fact.values["standing"][0]["moved"] > 0
    assert fact.values["recalibrates"] is False


def test_the_mode_is_the_one_of_the_call_and_not_of_later(watch: Callable[..., Any]) -> None:
    seen = watch(in_evaluation_mode)
    assert [(each.step, each.training_mode) for each in seen.all(Evaluation)] == [(10, ()), (20, ()), (30, ())]
    assert [(each.values["training"], each.values["heard"]) for each in facts(seen, "evaluation")] == [(False, [])] * 3
    steps = {event.step: {on for _, kind, on, _ in event.rows if kind == "Dropout"} for event in seen.all(ModuleCalls)}
    assert steps[5] == {True}
    assert steps[11] == {True, False}  # an evaluation came before its own forward pass


def test_a_first_pass_that_was_only_noted_takes_the_place_of_the_next(watch: Callable[..., Any]) -> None:
    seen = watch(with_gradients)
    [evaluation] = seen.all(Evaluation)
    assert (evaluation.passes, evaluation.gradients, evaluation.place) == (4, True, seen.line("return [model(x)"))
    [fact] = facts(seen, "evaluation")
    assert (fact.values["training"], fact.values["apart"]) == (True, True)
    assert {each["what"] for each in fact.values["standing"]} == {"batch norm", "dropout"}


def test_a_dropout_that_no_mode_reaches_has_its_own_line(watch: Callable[..., Any]) -> None:
    seen = watch(in_a_class_of_its_own)
    [fact] = facts(seen, "evaluation")
    assert (fact.values["training"], fact.values["standing"]) == (False, [])
    [layer] = fact.values["heard"]
    assert (layer["what"], layer["p"], (layer["file"], layer["line"])) == ("dropout", 0.1, seen.line("F.dropout"))


def read_with(how: Callable[[torch.Tensor], float]) -> Callable[[], Any]:
    def program():
        model, held, right = nn.Linear(4, 2), DataLoader(rows(50), batch_size=20), []
        for _ in range(2):
            trained(model)
            with torch.no_grad():
                for x, y in held:
                    right.append(how((model(x).argmax(1) == y).sum()))
        return right

    return program


@pytest.mark.parametrize("how", [torch.Tensor.item, float, int, torch.Tensor.tolist])
def test_numbers_read_in_an_evaluation_are_summed_up(watch: Callable[..., Any], how: Any) -> None:
    seen = watch(
        read_with(
            lambda tensor: {"item": tensor.item, "tolist": tensor.tolist}.get(how.__name__, lambda: how(tensor))()
        )
    )
    told = facts(seen, "figures")
    assert [fact.step for fact in told] == [STEPS, 2 * STEPS]
    for fact, right in zip(told, (seen.result[:3], seen.result[3:]), strict=True):
        [line] = fact.values["lines"]
        assert (line["count"], line["total"], line["last"]) == (3, sum(right), right[-1])
        assert line["weighted"] == sum(n * each for n, each in zip((20, 20, 10), right, strict=True))
        assert (line["rows"], line["first_rows"], line["last_rows"]) == (50, 20, 10)


def test_what_a_step_reads_is_no_figure_of_an_evaluation(watch: Callable[..., Any]) -> None:
    def program():
        model, x = nn.Linear(4, 2), torch.randn(8, 4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for _ in range(5):
            loss = model(x).square().mean()
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            model(x)
        return losses

    assert facts(watch(program), "figures") == []


def test_how_a_loader_makes_its_batches_is_none_of_the_steps_operations() -> None:
    events: list[Event] = []
    observer = Observer(events.append, own=lambda name: name == __file__)
    observer.recorder = OperationRecorder(events.append, observer.name_of, lambda name: name == __file__)
    observer.start()
    try:
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in DataLoader(rows(64), batch_size=16, shuffle=True):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    finally:
        observer.stop()
        observer.recorder.close()
    told = {event.step: [row["name"] for row in event.rows] for event in events if isinstance(event, Operations)}
    assert set(told) >= {1, 2, 3, 4}
    for step in (2, 3, 4):
        assert told[step] == ["linear", "cross_entropy", "backward"]
    assert "stack" not in told[1]


def test_later_evaluations_are_looked_at_closely_only_while_there_is_time():
    time_left = [False]
    passes = Passes(Names(Places(lambda _: True)), lambda *_: None, lambda: time_left[0])
    here, there = ("train.py", 9), ("train.py", 12)
    closely = [passes.closely(here, step) for step in range(100, 125)]
    assert closely == [True] * 20 + [False] * 5
    assert passes.closely(there, 125), "a line is counted for itself"
    time_left[0] = True
    assert not passes.closely(here, 124), "all passes of one evaluation are looked at in the same way"
    assert passes.closely(here, 126)
    time_left[0] = False
    passes.begin_anew()
    assert passes.closely(here, 127)


def test_a_pass_that_ended_in_an_error_is_listened_to_no_longer():
    class Listening(Look):
        heard_to_the_end = False

        def ends(self) -> None:
            super().ends()
            self.heard_to_the_end = True

    passes = Passes(Names(Places(lambda _: True)), lambda *_: None, lambda: False)
    look = Listening(net(), Places(lambda _: True))
    passes.listen(look)
    passes.closely(("train.py", 9), 3)  # the next pass: the one before it never came to its end
    assert look.heard_to_the_end
