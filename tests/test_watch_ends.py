"""What parameters were before their first step and are at the end, also when the program has let go of them."""

import gc
import sys
import weakref

import pytest
import torch
from torch import nn

from descend.record.events import ParameterNorms
from descend.watch.ends import Ends
from descend.watch.names import Names
from descend.watch.places import Places


class Program:
    """Stands for a program: its steps are counted, and some of them are sampled."""

    def __init__(self):
        self.names = Names(Places(lambda file: file == __file__))
        self.done = 0
        self.ends = Ends(self.names, lambda: self.done)

    def step(self, *names, sampled=True):
        self.done += 1
        if sampled:
            self.ends(ParameterNorms(self.done, tuple((name, 1.0, 1.0, 1.0) for name in names)))

    def learn(self, *tensors):
        self.names.learn(tensors, sys._getframe(1))


@pytest.fixture
def program():
    return Program()


def test_the_values_before_the_first_step_are_copies(program):
    w = torch.ones(2)
    program.learn(w)
    w += 1
    program.step("w")
    assert program.ends.first("w", 1).tolist() == [1.0, 1.0]
    assert program.ends.last("w").tolist() == [2.0, 2.0]
    assert program.ends.first("w", 0) is None
    assert program.ends.first("v", 1) is None
    assert program.ends.last("v") is None


def test_a_tensor_that_was_looked_at_and_replaced_before_any_step_is_forgotten(program):
    w = torch.zeros(1)
    program.learn(w)
    w = torch.ones(1)
    program.learn(w)
    program.step("w")
    assert program.ends.first("w", 1).item() == 1.0
    assert program.ends.named_in("w", 1)
    assert not program.ends.named_in("w", 2)


def test_values_outlive_the_function_that_trained_them(program):
    def train():
        w = torch.zeros(3)
        program.learn(w)
        for _ in range(5):
            w += 1
            program.step("w")
        w += 1  # a step that nobody looked at
        return weakref.ref(w)

    gone = train()
    gc.collect()
    assert gone() is None
    assert program.ends.last("w").tolist() == [6.0] * 3


def test_values_that_moved_to_other_memory_are_not_taken_for_the_last(program):
    def train():
        w = torch.zeros(3)
        program.learn(w)
        for _ in range(6):
            w.data = w.data + 1
            program.step("w")

    train()
    assert program.ends.last("w") is None


def test_a_variable_that_gets_new_tensors_is_read_where_the_program_holds_it(program, monkeypatch):
    for value in range(4):
        w = torch.full((1,), float(value))
        program.learn(w)
        program.step("w")
    assert program.ends.last("w") is None
    monkeypatch.setattr(sys.modules["__main__"], "w", torch.tensor([9.0]), raising=False)
    assert program.ends.last("w").item() == 9.0
    monkeypatch.setattr(sys.modules["__main__"], "w", "no tensor")
    assert program.ends.last("w") is None


def test_models_of_one_name_end_where_the_next_begins(program):
    for fold in range(3):
        model = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            model.weight.fill_(fold)
        program.learn(model.weight)
        for _ in range(4):
            with torch.no_grad():
                model.weight += 0.25
            program.step("weight")
    assert [program.ends.first("weight", step).item() for step in (1, 5, 9)] == [0.0, 1.0, 2.0]
    assert [program.ends.last("weight", until).item() for until in (5, 9, None)] == [1.0, 2.0, 3.0]
    assert [seen[0] for seen in program.names.tell([model.weight])] == ["weight"]
    assert program.names.tell([model.weight]) == []
    del model
    gc.collect()
    assert program.ends.last("weight").item() == 3.0


def test_no_tensor_of_the_programs_is_kept_alive(program):
    w = torch.zeros(1)
    program.learn(w)
    program.step("w")
    old = weakref.ref(w)
    w = torch.zeros(1)
    program.learn(w)
    gc.collect()
    assert old() is None


def test_large_parameters_are_not_copied(program):
    def train():
        w = torch.empty(9 * 2**20)  # 36 MB
        program.learn(w)
        program.step("w")
        return program.ends.last("w") is w

    assert train()
    assert program.ends.first("w", 1) is None
    assert program.ends.last("w") is None


def test_memory_that_the_program_has_given_back_is_not_read(program):
    def train():
        w = torch.zeros(1000)
        program.learn(w)
        program.step("w")
        program.step("w")
        w.untyped_storage().resize_(0)

    train()
    assert program.ends.last("w") is None


def test_a_loop_by_hand_ends_with_what_its_variable_held(program):
    program.ends.begins("w", torch.zeros(1), moving=True)
    program.step("w")
    assert program.ends.last("w") is None
    program.ends.ends("w", torch.ones(1, requires_grad=True))
    assert program.ends.last("w").item() == 1.0
    assert not program.ends.last("w").requires_grad
    w = torch.full((1,), 5.0)
    program.learn(w)
    program.step("w")
    program.step("w")
    assert (program.ends.last("w", 2).item(), program.ends.last("w").item()) == (1.0, 5.0)
