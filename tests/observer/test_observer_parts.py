"""The pieces of the observer, each alone."""

import math
import sys
from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn
from torch.overrides import TorchFunctionMode

from descend.record.events import StepsDone, Unseen
from descend.watch.batches import rows_in, tensors_in
from descend.watch.budget import is_recorded, is_sampled, is_snapshot, next_candidate
from descend.watch.facts.moments import Moments
from descend.watch.fingerprint import fingerprints
from descend.watch.graph import leaves_of, loss_of
from descend.watch.kept import KeptParameters
from descend.watch.names import Names
from descend.watch.observer import Observer
from descend.watch.places import Places
from descend.watch.quiet import hidden, quiet
from descend.watch.rates import as_written, off_by, plain_rate
from descend.watch.timeline import Timeline

MINE = Places(lambda name: name == __file__)


def test_a_row_has_the_same_fingerprint_in_every_batch():
    rows = torch.randn(20, 3, 5)
    whole = fingerprints(rows)
    assert len(set(whole)) == 20
    assert fingerprints(rows[7:12]) == whole[7:12]
    assert fingerprints(rows.flip(0)) == whole[::-1]
    assert fingerprints(rows.transpose(1, 2).contiguous().transpose(1, 2)) == whole
    assert all(0 <= one < 2**63 for one in whole)


@given(some.lists(some.lists(some.integers(0, 255), min_size=4, max_size=4), min_size=1, max_size=30))
def test_rows_have_one_fingerprint_exactly_when_they_are_the_same(rows):
    marks = fingerprints(torch.tensor(rows, dtype=torch.uint8))
    for one, mark in zip(rows, marks, strict=True):
        for other, its in zip(rows, marks, strict=True):
            assert (one == other) == (mark == its)


@pytest.mark.parametrize(
    "kind", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64]
)
def test_every_type_of_number_has_fingerprints(kind):
    assert len(set(fingerprints(torch.tensor([[0, 1], [1, 0], [0, 1]]).to(kind)))) == 2


def test_what_has_no_rows_has_no_fingerprints():
    assert fingerprints(torch.tensor(1.0)) == ()
    assert fingerprints(torch.empty(0, 3)) == ()


def test_sampled_steps():
    assert [step for step in range(1, 1001) if is_sampled(step, share=lambda: 1.0)] == [*range(1, 21), 100, 1000]
    rare = [step for step in range(1, 3001) if is_sampled(step, share=lambda: 0.0)]
    assert rare == [*range(1, 21), *range(30, 1001, 10), *range(1100, 3001, 100)]
    assert [step for step in range(1, 2000) if is_snapshot(step)] == [1, 10, 100, 1000]
    assert [step for step in range(1, 2000) if is_recorded(step)] == [*range(1, 21), 100, 1000]


@given(some.integers(1, 10**7))
def test_no_sampled_step_lies_before_the_next_candidate(step):
    after = next_candidate(step)
    assert after > step
    assert not any(is_sampled(between, share=lambda: 0.0) for between in range(step + 1, min(after, step + 50)))


def test_the_rate_of_plain_descent_is_worked_out():
    values = [torch.randn(4, 3), torch.randn(3)]
    gradients = [torch.randn(4, 3), torch.randn(3)]
    changes = [-0.03 * one for one in gradients]
    assert plain_rate(changes, gradients, values) == pytest.approx(0.03, rel=1e-5)
    assert math.isnan(plain_rate([changes[0], changes[1] * 2], gradients, values)), "two rates"
    assert math.isnan(plain_rate([-one for one in changes], gradients, values)), "uphill"
    assert math.isnan(plain_rate([one * 1e-9 for one in changes], gradients, values)), "rounding says nothing"
    assert math.isnan(plain_rate(changes, [one * 0 for one in gradients], values))
    assert as_written(0.0299999, [0.5, 0.03, 10]) == 0.03
    assert as_written(0.02, [0.5, 0.03]) == 0.02


def test_near_a_minimum_the_rate_is_that_of_before():
    """The parameter has few digits left for a small change, and a rate that is worked out from it looks like another."""
    value, gradient = torch.tensor([1.5]), torch.tensor([2.1e-3])
    found = plain_rate([value - 0.1 * gradient - value], [gradient], [value])
    assert found != pytest.approx(0.1, rel=1e-5)
    assert abs(found - 0.1) < off_by([gradient], [value]) < 1e-4


def comes_near():
    """The rate stands in no variable here either."""
    weight = torch.zeros(1, requires_grad=True)
    for _ in range(20):
        ((weight * 2 - 3) ** 2).mean().backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
            weight.grad.zero_()
    return {"weight": weight}


def test_a_rate_that_stays_is_told_as_one(watch):
    [rate] = set(watch(comes_near).rates)
    assert rate == pytest.approx(0.1, rel=1e-6)


def falls_in_a_variable():
    weight, inputs, rate, rates = torch.randn(10_000, requires_grad=True), torch.randn(10_000) * 2e-3, 0.1, []
    for _ in range(19):
        (weight * inputs).sum().backward()
        with torch.no_grad():
            weight -= rate * weight.grad
        weight.grad = None
        rates.append(rate)
        rate *= 0.997
    return {"rates": rates, "weight": weight}


def test_a_rate_that_falls_slowly_is_followed(watch):
    seen = watch(falls_in_a_variable)
    assert seen.rates == seen.result["rates"]


def falls_by_steps():
    """The rate stands in no variable."""
    weight, inputs = torch.randn(10_000, requires_grad=True), torch.randn(10_000) * 2e-3
    for step in range(19):
        (weight * inputs).sum().backward()
        with torch.no_grad():
            weight.sub_(weight.grad, alpha=0.1 * 0.9995**step)
        weight.grad = None
    return {"weight": weight}


def test_a_rate_that_no_variable_holds_is_followed(watch):
    assert watch(falls_by_steps).rates == pytest.approx([0.1 * 0.9995**step for step in range(19)], rel=2e-4)


class Named(torch.Tensor):
    """A tensor with a shape of its own."""

    @property
    def shape(self):
        return dict(zip(("rows", "columns"), self.size(), strict=True))


def test_rows_of_a_class_with_a_shape_of_its_own():
    assert rows_in([torch.ones(5, 2).as_subclass(Named)]) == 5
    assert rows_in([torch.tensor(1.0)]) == 1


@pytest.mark.parametrize(("epochs", "each"), [([2, 2, 2], ()), ([1, 2, 3], [1, 2, 3]), ([1, 2, 1], [1, 2, 1])])
def test_the_epoch_of_each_step_is_told_where_they_differ(epochs, each):
    """Two threads that train have an epoch each."""
    events = []
    observer = Observer(events.append, own=lambda _: True)
    for epoch in epochs:
        observer.count(epoch, 1.0, 0.1, 0.01, 4, 0.0)
    observer.flush()
    assert events == [StepsDone(1, epochs[-1], [1.0] * 3, [0.1] * 3, [0.01] * 3, [4] * 3, each)]


def test_leaves_are_found_in_the_order_of_their_use():
    first, second = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    frozen = torch.ones(2)
    loss = ((first * frozen) * second).sum()
    assert {id(one) for one in leaves_of(loss, None)} == {id(first), id(second)}
    assert leaves_of(loss, [second]) == [second]
    assert leaves_of(first, None) == [first]


def test_the_loss_of_weighted_tensors_is_their_weighted_sum():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    assert loss_of(x * 3, torch.tensor([1.0, 10.0])) == 63
    assert loss_of([x.sum(), x.prod()], None) == 5
    assert math.isnan(loss_of([], None))


def test_rows_and_tensors_of_batches():
    x, y = torch.zeros(5, 2), torch.zeros(5)
    assert rows_in([x, y]) == rows_in((x, y)) == rows_in({"x": x, "y": y}) == rows_in(x) == 5
    assert rows_in(["text"]) == rows_in([]) == 0
    assert [id(one) for one in tensors_in({"a": [x, {"b": y}], "c": 1})] == [id(x), id(y)]


class Layer:
    def __init__(self):
        self.w = torch.ones(1, requires_grad=True)


class Stack:
    def __init__(self):
        self.layers = [Layer(), Layer()]


def test_names_of_objects_lists_and_modules():
    names = Names(MINE)
    stack = Stack()
    listed = [torch.ones(1)]
    plain = torch.ones(1)
    encoder, decoder = nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1))
    tensors = [plain, listed[0], stack.layers[1].w, encoder.weight, decoder[0].bias]
    names.learn(tensors, sys._getframe())
    expected = ["plain", "listed[0]", "stack.layers[1].w", "encoder.weight", "decoder.0.bias"]
    assert [names.name_of(one) for one in tensors] == expected
    assert [row[2] for row in names.tell(tensors)] == ["variable"] * 3 + ["module"] * 2
    assert names.tell(tensors) == []
    assert names.name_of(torch.ones(1)) == ""


def test_a_tensor_that_nothing_holds_is_unnamed():
    names = Names(MINE)
    one = [lambda: None, torch.ones(1)]
    names.learn([torch.ones(1)], sys._getframe())
    names.learn([one[1]], None)
    assert names.name_of(one[1]).startswith("unnamed")


def test_large_parameters_are_sampled_and_their_change_estimated():
    kept = KeptParameters()
    large = torch.randn(9_000_000)
    kept.keep([large])
    assert not kept.by_id[id(large)].whole
    large += 0.5
    ((_, _, gradient, change),) = kept.rows([("large", large, large)])
    assert change == pytest.approx(0.5 * 3000, rel=1e-2)
    assert math.isnan(gradient)
    assert kept.moved(large)


def test_a_timeline_adds_up_and_leaves_our_own_time_out():
    time = Timeline(10.0)
    time.begins(11.0, "forward")
    time.ends(13.0, "forward", ("a.py", 1), "loss")
    time.backward_begins(14.0, set())
    time.backward_ends(17.0, ("a.py", 3))
    time.begins(18.0, "update")
    time.ends(20.0, "update", ("a.py", 4), "")
    seconds, places = time.totals({0})
    assert seconds == {"data": 1.0, "forward": 2.0, "loss": 1.0, "backward": 3.0, "update": 3.0}
    assert places == {"forward": ("a.py", 1), "backward": ("a.py", 3), "update": ("a.py", 4)}


def test_quiet_work_builds_no_graph_and_restores_what_was():
    x = torch.ones(2, requires_grad=True)
    with quiet():
        assert not (x * 2).requires_grad
    assert torch.is_grad_enabled()
    with torch.no_grad():
        with quiet():
            pass
        assert not torch.is_grad_enabled()
    assert hidden(lambda value: value + 1)(1) == 2


def test_quiet_work_inside_of_quiet_work_is_quiet_to_the_end():
    x = torch.ones(2, requires_grad=True)
    with Seen() as seen, quiet():
        with quiet():
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
            with quiet():
                assert not (x * 2).requires_grad
            assert (x * 2).requires_grad
    assert seen.names == []
    assert torch.is_grad_enabled()
    with suppress(ZeroDivisionError), quiet():
        1 / 0  # noqa: B018 - it fails
    assert torch.is_grad_enabled()
    with Seen() as seen:
        torch.neg(x)
    assert seen.names == ["neg"]


class Seen(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_a_step_that_may_be_sampled_is_passed_over_while_watching_was_too_dear():
    now = [100.0]
    observer = Observer(lambda event: None, own=lambda name: True, clock=lambda: now[0])
    observer.spent = 0.5
    now[0] += 5.0
    assert observer.share() == pytest.approx(0.1, rel=0.01)
    assert observer.heeded(40, 105.0) == 50
    assert observer.heeded(100, 105.0) == 100  # always looked at
    assert observer.heeded(1200, 124.9) == 1300
    assert observer.heeded(40, 125.1) == 40  # 2 % by then


def test_collectors_that_cannot_be_made_are_said_and_end_nothing():
    told = []

    def none():
        raise OSError("too many open files")

    moments = Moments(told.append, none)
    assert not moments.are_told
    moments.tell("finished", 3)
    assert moments.of_operation("add", (), {}, None) is None
    assert moments.are_told
    assert told == [Unseen("what the checks need", "it cannot be measured: OSError: too many open files")]


def test_steps_without_autograd_are_told_as_handed_over():
    events = []
    observer = Observer(events.append, own=lambda name: name == __file__)
    observer.start()
    w = torch.tensor([2.0])
    for number in range(30):
        before = {"w": w.clone()}
        w = w - 0.5
        observer.hand_step(float(number), {"w": w}, 0.001, before)
    observer.stop()
    assert observer.step == 30
    kinds = {type(event).__name__ for event in events}
    assert kinds == {"StepsDone", "ParametersSeen", "ParameterNorms"}
    norms = [event for event in events if type(event).__name__ == "ParameterNorms"]
    assert norms[0].rows[0][:2] == ("w", 2.0)
    assert norms[0].rows[0][3] == 0.5


def test_a_fault_of_the_observer_ends_the_watching_and_not_the_program():
    events = []
    observer = Observer(events.append, own=lambda name: 1 / 0)
    observer.start()
    w = torch.ones(2, requires_grad=True)
    (w**2).sum().backward()
    assert torch.equal(w.grad, torch.tensor([2.0, 2.0]))
    observer.stop()
    assert "ZeroDivisionError" in events[0].why
    assert len(events) == 1
