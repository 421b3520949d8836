"""Programs with modules, optimizers and loaders, and the harder ones."""

import _thread
import inspect
import multiprocessing
import sys
import threading
import warnings

import pytest
import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, TensorDataset

from descend.record.events import (
    BatchSeen,
    Evaluation,
    Message,
    ModuleCalls,
    ParametersSeen,
    PhaseTimes,
    Printed,
    StepsDone,
    Unseen,
    ValueRead,
)
from descend.record.writer import THREAD
from descend.watch.observer import Observer
from descend.watch.threads import only_one


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


def model_optimizer_and_loader():
    data = TensorDataset(torch.randn(70, 6), torch.randint(0, 3, (70,)))
    test = TensorDataset(torch.randn(30, 6), torch.randint(0, 3, (30,)))
    train_loader = DataLoader(data, batch_size=8, shuffle=True)
    test_loader = DataLoader(test, batch_size=8)
    model = Net()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses, seen, weights = [], [], []
    for _ in range(13):
        for images, labels in train_loader:
            outputs = model(images)
            loss = loss_fn(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            weights.append((model.fc1.weight.detach().clone(), model.fc1.weight.grad.clone()))
            optimizer.step()
            losses.append(loss.item())
            seen.append(labels)
        model.eval()
        with torch.no_grad():
            for images, labels in test_loader:
                correct = (model(images).argmax(1) == labels).sum().item()
        model.train()
    return {"losses": losses, "labels": seen, "weights": weights, "correct": correct, **model.state_dict()}


def test_model_optimizer_and_loader(watch):
    seen = watch(model_optimizer_and_loader)
    assert seen.losses == seen.result["losses"]
    assert seen.rates == [0.01] * 117
    assert seen.epochs == [epoch for epoch in range(1, 14) for _ in range(9)]
    assert seen.rows == ([8] * 8 + [6]) * 13
    assert seen.all(ParametersSeen)[0].rows == (
        ("fc1.weight", (8, 6), "module"),
        ("fc1.bias", (8,), "module"),
        ("fc2.weight", (3, 8), "module"),
        ("fc2.bias", (3,), "module"),
    )
    assert seen.names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def test_phases_of_a_model_stand_on_their_lines(watch):
    seen = watch(model_optimizer_and_loader)
    for step in (1, 2, 9, 10, 20, 100):
        phases = seen.phases(step)
        assert phases.places == {
            "data": seen.line("for images, labels in train_loader"),
            "forward": seen.line("outputs = model(images)"),
            "loss": seen.line("loss = loss_fn"),
            "zero": seen.line("optimizer.zero_grad()"),
            "backward": seen.line("loss.backward()"),
            "update": seen.line("optimizer.step()"),
        }
        assert all(seconds > 0 for seconds in phases.seconds.values())


def test_norms_and_snapshots_of_a_model(watch):
    seen = watch(model_optimizer_and_loader)
    weights = seen.result["weights"]
    for step in (1, 5, 20, 100):
        (before, gradient), (after, _) = weights[step - 1], weights[step]
        value, length, change = seen.norms(step)["fc1.weight"]
        assert value == pytest.approx(before.norm().item(), rel=1e-6)
        assert length == pytest.approx(gradient.norm().item(), rel=1e-6)
        assert change == pytest.approx((after - before).norm().item(), rel=1e-5)
    for step in (1, 10, 100):
        tensors = seen.snapshot(step)
        assert torch.equal(tensors["before.fc1.weight"], weights[step - 1][0])
        assert torch.equal(tensors["gradient.fc1.weight"], weights[step - 1][1])
        assert torch.equal(tensors["after.fc1.weight"], weights[step][0])
        assert torch.equal(tensors["batch.y"], seen.result["labels"][step - 1])
        assert tensors["batch.x"].shape[1] == 6
        assert tensors["output.fc2"].shape[1] == 3
        assert tensors["state_after.exp_avg.fc1.weight"].shape == (8, 6)
    assert "state_before.exp_avg.fc1.weight" in seen.snapshot(10)
    assert "state_before.exp_avg.fc1.weight" not in seen.snapshot(1)


def test_batches_and_modules_of_a_sampled_step(watch):
    seen = watch(model_optimizer_and_loader)
    batch = [event for event in seen.all(BatchSeen) if event.step == 3 and not event.evaluation]
    assert [(event.name, event.shape, event.dtype, event.device) for event in batch] == [
        ("images", (8, 6), "float32", "cpu"),
        ("labels", (8,), "int64", "cpu"),
    ]
    first_epoch = {
        h
        for e in seen.all(BatchSeen)
        if e.step <= 9 and e.name == "images" and not e.evaluation
        for h in e.fingerprints
    }
    assert len(first_epoch) == 70, "each row of the data set, once"
    calls = next(event for event in seen.all(ModuleCalls) if event.step == 3)
    assert sorted(calls.rows) == [
        ("CrossEntropyLoss", "CrossEntropyLoss", True, 1),
        ("fc1", "Linear", True, 1),
        ("fc2", "Linear", True, 1),
        ("model", "Net", True, 1),
    ]


def test_evaluations_are_told_between_the_steps(watch):
    seen = watch(model_optimizer_and_loader)
    evaluations = seen.all(Evaluation)
    assert [event.number for event in evaluations] == list(range(1, 14))
    assert [event.step for event in evaluations] == [9 * epoch for epoch in range(1, 14)]
    for event in evaluations:
        assert (event.passes, event.gradients, event.training_mode) == (4, False, ())
        assert event.place == seen.line("correct = (model(images)")
        assert event.seconds > 0
    assert {event.evaluation for event in seen.all(BatchSeen)} >= {0, 1, 13}


def forgotten_eval_and_gradients():
    x, y = torch.randn(40, 6), torch.randint(0, 3, (40,))
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        for start in range(0, 40, 10):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[start : start + 10]), y[start : start + 10])
            loss.backward()
            optimizer.step()
    test = DataLoader(TensorDataset(x), batch_size=10)
    return [model(batch).sum().item() for (batch,) in test]


def test_an_evaluation_in_training_mode_with_gradients_says_so(watch):
    (event,) = watch(forgotten_eval_and_gradients).all(Evaluation)
    assert (event.passes, event.gradients, event.step) == (4, True, 12)
    assert event.training_mode == ("model", "0", "1", "2")


def evaluation_without_a_loader():
    x, y = torch.randn(40, 6), torch.randn(40, 1)
    model = nn.Linear(6, 1)
    teacher = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for epoch in range(30):
        with torch.no_grad():
            wanted = teacher(x)
        loss = ((model(x) - wanted) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if epoch % 10 == 9:
            model.eval()
            with torch.no_grad():
                error = (model(x) - y).abs().mean()  # examined
            model.train()
    return {"losses": losses, "error": error}


def test_a_pass_of_the_trained_model_without_a_graph_is_an_evaluation_and_a_teachers_is_not(watch):
    seen = watch(evaluation_without_a_loader)
    assert seen.losses == seen.result["losses"]
    assert [event.place for event in seen.all(Evaluation)] == [seen.line("# examined")] * 3
    assert [event.step for event in seen.all(Evaluation)] == [10, 20, 30]


def two_optimizers_and_samples():
    generator, critic = nn.Linear(2, 3), nn.Linear(3, 1)
    for_generator = torch.optim.Adam(generator.parameters(), lr=0.001)
    for_critic = torch.optim.Adam(critic.parameters(), lr=0.002)
    real, losses = torch.randn(16, 3), []
    for step in range(40):
        with torch.no_grad():
            fake = generator(torch.randn(16, 2))
        critic_loss = (F.softplus(-critic(real)) + F.softplus(critic(fake[:16]))).mean()
        for_critic.zero_grad()
        critic_loss.backward()
        for_critic.step()
        if step in (5, 35):
            with torch.no_grad():
                generator(torch.zeros(4, 2))  # a picture of it
        for_generator.zero_grad()
        generator_loss = F.softplus(-critic(generator(torch.randn(16, 2)))).mean()
        generator_loss.backward()
        for_generator.step()
        losses += [critic_loss.item(), generator_loss.item()]
    return {"losses": losses}


def test_a_generators_pass_for_its_critic_belongs_to_the_step_and_a_sample_is_none_of_it(watch):
    seen = watch(two_optimizers_and_samples)
    assert seen.losses == seen.result["losses"]
    assert [(each.step, each.place) for each in seen.all(Evaluation)] == [
        (step, seen.line("# a picture")) for step in (11, 71)
    ]


def accumulation():
    x, y = torch.randn(64, 6), torch.randint(0, 3, (64,))
    loader = DataLoader(TensorDataset(x, y), batch_size=4)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(6):
        for number, (images, labels) in enumerate(loader):
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            losses.append(loss.item())
            if number % 4 == 3:
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                optimizer.step()
                optimizer.zero_grad()
    return {"losses": losses, **model.state_dict()}


def test_accumulated_gradients_are_one_step(watch):
    seen = watch(accumulation)
    each = seen.result["losses"]
    summed = "each step's gradients are those of the sum"
    assert seen.losses == pytest.approx([sum(each[i : i + 4]) for i in range(0, len(each), 4)]), summed
    assert seen.rows == [16] * len(seen.losses), "four batches of four"
    lengths = [length for _, (_, length, _) in seen.norms(3).items()]
    assert sum(length**2 for length in lengths) ** 0.5 == pytest.approx(0.1, rel=1e-3), "as clipped, when it was used"
    assert seen.phases(3).places["forward"] == seen.line("loss = F.cross_entropy")


def two_optimizers():
    generator = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    critic = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    for_generator = torch.optim.Adam(generator.parameters(), lr=0.001)
    for_critic = torch.optim.Adam(critic.parameters(), lr=0.002)
    real = torch.randn(16, 3)
    losses = []
    for _ in range(40):
        fake = generator(torch.randn(16, 2))
        for_critic.zero_grad()
        both = critic(torch.cat([real, fake.detach()]))
        critic_loss = F.softplus(-both[:16]).mean() + F.softplus(both[16:]).mean()
        critic_loss.backward()
        for_critic.step()
        for_generator.zero_grad()
        generator_loss = F.softplus(-critic(fake)).mean()
        generator_loss.backward()
        for_generator.step()
        losses += [critic_loss.item(), generator_loss.item()]
    return {"losses": losses, **generator.state_dict()}


def test_each_update_of_two_optimizers_is_a_step(watch):
    seen = watch(two_optimizers)
    assert not seen.all(Evaluation), "what the generator made was given to the critic"
    assert seen.losses == seen.result["losses"]
    assert seen.rates == [0.002, 0.001] * 40
    assert seen.names == [f"critic.{n}" for n in ("0.weight", "0.bias", "2.weight", "2.bias")] + [
        f"generator.{n}" for n in ("0.weight", "0.bias", "2.weight", "2.bias")
    ]
    assert seen.norms(2)["critic.0.weight"][2] == 0, "the generator's step leaves the critic alone"
    assert seen.norms(2)["generator.0.weight"][2] > 0


def closures():
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(30)]
    return {"losses": losses, **model.state_dict()}


def test_a_closure_is_one_step_with_its_first_loss(watch):
    seen = watch(closures)
    assert seen.losses == seen.result["losses"]
    assert seen.rates == [0.5] * 30


def looks_inside_training():
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    model = nn.Linear(3, 1)
    ((model(x) - y) ** 2).mean().backward()  # is the gradient sane?
    model.zero_grad()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        image = x.clone().requires_grad_()
        loss = ((model(image) - y) ** 2).mean()
        (slope,) = torch.autograd.grad(loss, image, create_graph=True)
        total = loss + 0.1 * slope.square().mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    return {"losses": losses, **model.state_dict()}


def test_a_gradient_penalty_is_part_of_its_step(watch):
    seen = watch(looks_inside_training)
    assert seen.losses == seen.result["losses"]
    assert [event.kind for event in seen.all(Message)] == ["look"]
    assert seen.names == ["weight", "bias"], "the image is differentiated by, and not trained"


def solves_an_equation():
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    scale = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.Adam([*model.parameters(), scale], lr=0.01)
    points = torch.linspace(0, 1, 20)[:, None].requires_grad_()
    losses = []
    for _ in range(25):
        value = model(torch.cat([points]))
        (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True)
        loss = (slope + scale * value).square().mean() + (value[0] - 1).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_points_that_an_equation_is_solved_at_are_no_parameters(watch):
    seen = watch(solves_an_equation)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["0.weight", "0.bias", "2.weight", "2.bias", "scale"]


def functional():
    model = Net()
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    losses = []

    def loss_of(parameters):
        return F.cross_entropy(torch.func.functional_call(model, parameters, (x,)), y)

    for _ in range(30):
        gradients, loss = torch.func.grad_and_value(loss_of)(parameters)
        losses.append(loss.item())
        parameters = {name: value - 0.1 * gradients[name] for name, value in parameters.items()}
    return {"losses": losses, **parameters}


def test_functional_gradients_with_updates_by_hand(watch):
    seen = watch(functional)
    assert seen.losses == pytest.approx(seen.result["losses"])
    assert seen.names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def folds():
    x, y = torch.randn(60, 6), torch.randint(0, 3, (60,))
    losses, models = [], []
    for fold in range(3):
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1 * (fold + 1))
        for _ in range(40):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        models.append(model)
    return {"losses": losses, **models[-1].state_dict()}


def test_models_made_anew_keep_their_parameters_names(watch):
    seen = watch(folds)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"] * 3, "told again for each new model"
    assert seen.rates == pytest.approx([0.1] * 40 + [0.2] * 40 + [0.3] * 40)
    assert {event.step for event in seen.all(PhaseTimes)} >= {41, 42, 81, 82}, (
        "what is new is looked at, from its first step on"
    )
    assert [event.step for event in seen.all(ParametersSeen)] == [1, 41, 81]


def one_optimizer_a_step():
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    model = Net()
    losses = []
    for _ in range(300):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_an_optimizer_for_each_step_does_not_have_each_step_looked_at(watch):
    seen = watch(one_optimizer_a_step)
    assert seen.losses == seen.result["losses"]
    assert len(seen.all(PhaseTimes)) < 150


def scaled_and_in_half_precision():
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_a_scaled_loss_is_told_as_it_was(watch):
    seen = watch(scaled_and_in_half_precision)
    assert seen.losses == seen.result["losses"]


def trained_in_a_thread():
    result = {}

    def work():
        x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = result["losses"] = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        result.update(model.state_dict())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return result


def test_training_in_a_thread(watch):
    seen = watch(trained_in_a_thread)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert seen.phases(3).places["update"] == seen.line("optimizer.step()")


def trained_here_and_then_in_turns_with(start):
    """Once the steps of the one thread there is are known well, another begins, and each acts in the midst of the other's steps."""
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    turns = (threading.Semaphore(1), threading.Semaphore(0))
    ended = threading.Event()
    models = [Net(), Net()]
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    losses = {0: [], 1: []}

    def step(number, wait=lambda: None):
        loss = F.cross_entropy(models[number](x), y)
        wait()
        loss.backward()
        wait()
        optimizers[number].step()
        return loss.item()

    def work(number):
        def wait():
            turns[1 - number].release()
            turns[number].acquire()

        turns[number].acquire()
        for _ in range(30):
            losses[number].append(step(number, wait))
            wait()
        turns[1 - number].release()

    def other():
        work(1)
        ended.set()

    for _ in range(40):
        step(0)
        step(1)
    start(other)
    work(0)
    ended.wait()
    return {"losses": losses[0] + losses[1]}


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(lambda work: threading.Thread(target=work, daemon=True).start(), id="threading"),
        pytest.param(lambda work: _thread.start_new_thread(work, ()), id="_thread"),
    ],
)
def test_a_thread_that_begins_later_is_told_apart(watch, monkeypatch, start):
    """Until it begins nobody asks which thread calls; the threads of the test runner are left out of the count."""
    monkeypatch.setattr(sys.modules["descend.watch.observer"], "only_one", lambda: True)

    def program():
        return trained_here_and_then_in_turns_with(start)

    seen = watch(program, unseen=True)
    assert len(seen.losses) == 140
    assert [each.what for each in seen.all(Unseen)] == ["faults of what other threads train"]
    assert sorted(seen.losses[80:]) == sorted(seen.result["losses"])
    assert seen.observer.only is None


def test_the_only_thread_is_known_as_such(watch, monkeypatch):
    monkeypatch.setattr(sys.modules["descend.watch.observer"], "only_one", lambda: True)
    seen = watch(scaled_and_in_half_precision)
    assert seen.observer.only is seen.observer.trackers[0]
    assert seen.losses == seen.result["losses"]


def test_other_threads_are_counted():
    held, started = threading.Event(), threading.Event()

    def work():
        started.set()
        held.wait()

    before = only_one()  # where tests run in several processes, each has threads that Python's module does not know
    with_another = threading.Thread(target=work)
    with_another.start()
    started.wait()
    try:
        assert not only_one()
        with_another.name = THREAD  # as the one that writes the record
        assert only_one() == before
    finally:
        held.set()
        with_another.join()


def compiled():
    model = torch.compile(Net(), backend="eager")
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, **{name.removeprefix("_orig_mod."): value for name, value in model.state_dict().items()}}


def test_a_compiled_model_gives_no_warning_and_keeps_its_names(watch):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen = watch(compiled)
    assert [str(one.message) for one in caught if "hook" in str(one.message).lower()] == []
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


class Talking(Net):
    """Its forward pass is compiled in two parts, for what lies between cannot be compiled."""

    def forward(self, x):
        hidden = self.fc1(x)
        torch._dynamo.graph_break()
        return self.fc2(torch.relu(hidden))


def compiled_in_parts():
    return in_parts(torch.compile)


def in_parts(compiler):
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model = Talking()
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of = compiler(lambda: F.cross_entropy(model(x), y), backend="eager")
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "frames": dict(torch._dynamo.utils.counters["frames"])}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # the compiler's own, with and without us
def test_the_compiler_compiles_what_it_would_compile_without_us(watch):
    seen = watch(compiled_in_parts)
    assert seen.result["frames"]["total"] > 2
    assert seen.losses == seen.result["losses"]


COMPILE = torch.compile  # as a program has it that took the name before it is watched


def compiled_by_a_name_taken_before():
    return in_parts(COMPILE)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_the_compiler_passes_over_us_where_nobody_saw_it_called(watch):
    seen = watch(compiled_by_a_name_taken_before)
    assert seen.result["frames"]["total"] > 2
    assert seen.losses == seen.result["losses"]


class Counting(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.append(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


class CountingBelow(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def modes_and_hooks_of_the_users_own():
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    model = Net()
    calls = []
    model.fc1.register_forward_hook(lambda module, args, output: calls.append("forward"))
    model.fc1.weight.register_hook(lambda gradient: calls.append("gradient"))
    model.fc2.register_full_backward_hook(lambda module, before, after: calls.append("module"))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.register_step_post_hook(lambda *_: calls.append("step"))
    losses = []
    with Counting() as counting, CountingBelow() as below:
        for _ in range(25):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
    losses = [loss.item() for loss in losses]
    return {"losses": losses, "calls": calls, "above": counting.names, "below": below.names, **model.state_dict()}


def test_the_users_own_hooks_and_modes_see_only_what_is_theirs(watch):
    seen = watch(modes_and_hooks_of_the_users_own)
    assert seen.losses == seen.result["losses"]


def nothing_is_trained():
    return torch.randn(3).sum().item()


def test_a_program_that_trains_nothing_tells_nothing(watch):
    events = watch(nothing_is_trained).events
    assert [event for event in events if not isinstance(event, ValueRead)] == []


def stops_with_an_error():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for number in range(10):
        optimizer.zero_grad()
        loss = (w**2).sum()
        if number == 4:
            raise ZeroDivisionError
        loss.backward()
        optimizer.step()


def test_an_error_of_the_programs_ends_it_as_ever_and_the_last_step_is_told():
    events = []
    observer = Observer(events.append, own=lambda name: name == __file__)
    observer.start()
    with pytest.raises(ZeroDivisionError):
        stops_with_an_error()
    observer.stop()
    assert sum(len(event.losses) for event in events if isinstance(event, StepsDone)) == 4
    observer.stop()


def prints_and_reads():
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for _ in range(3):
        loss = (w**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("loss", loss.item(), sep=" = ")
    print(w, "is what", float(w.detach()[0]))


def test_what_is_printed_and_read_is_told_with_its_step(watch, capsys):
    seen = watch(prints_and_reads)
    half = capsys.readouterr().out
    alone, watched = half[: len(half) // 2], half[len(half) // 2 :]
    assert alone == watched
    printed = seen.all(Printed)
    assert "".join(event.text for event in printed) == watched
    assert [event.step for event in printed] == [1, 2, 3, 3]
    assert printed[0].place == seen.line('print("loss"')
    read = seen.all(ValueRead)
    assert [(event.step, event.how, event.tensor) for event in read] == [
        (1, "item", "loss"),
        (2, "item", "loss"),
        (3, "item", "loss"),
        (3, "float", ""),
    ]
    assert [event.value for event in read[:3]] == seen.losses


def starts_a_process():
    process = multiprocessing.get_context("fork").Process(target=nothing_is_trained)
    process.start()
    process.join()
    return process.exitcode


def test_a_process_of_the_programs_is_said_to_be_unseen(watch):
    (event,) = watch(starts_a_process, unseen=True).all(Unseen)
    assert event.why == "processes that the program starts are not followed"
    assert event.place == starts_a_process_place(event)


def starts_a_process_place(event):
    lines, first = inspect.getsourcelines(starts_a_process)
    return __file__, next(first + i for i, line in enumerate(lines) if "process.start()" in line)


def loader_with_workers():
    data = TensorDataset(torch.randn(24, 6), torch.randint(0, 3, (24,)))
    loader = DataLoader(data, batch_size=8, shuffle=True, num_workers=2, persistent_workers=True)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_a_loader_with_workers_that_stay(watch):
    seen = watch(loader_with_workers)
    assert seen.losses == seen.result["losses"]
    assert seen.epochs == [1, 1, 1, 2, 2, 2, 3, 3, 3]


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_context, x):
        return 2 * x

    @staticmethod
    def backward(_context, gradient):
        return 2 * gradient


def own_function_in_place_and_checkpoint():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 8), nn.ReLU(inplace=True))
    head = nn.Linear(8, 1)
    x, y = torch.randn(12, 6), torch.randn(12, 1)
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=0.01)
    losses = []
    for _ in range(25):
        hidden = torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False)
        loss = F.mse_loss(Doubled.apply(head(hidden)), y)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_own_functions_in_place_activations_and_checkpoints(watch):
    seen = watch(own_function_in_place_and_checkpoint)
    assert seen.losses == seen.result["losses"]
    assert seen.names[0] == "model.0.weight"
    assert seen.names[-1] == "head.bias"
    assert seen.all(Evaluation) == []


def raw_updates_of_a_module():
    model = Net()
    x, y = torch.randn(20, 6), torch.randint(0, 3, (20,))
    losses = []
    for _ in range(130):
        loss = F.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.1 * parameter.grad  # noqa: PLW2901
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_a_module_updated_by_hand(watch):
    seen = watch(raw_updates_of_a_module)
    assert seen.losses == seen.result["losses"]
    assert seen.rates == pytest.approx([0.1] * 130, rel=1e-3)
    phases = seen.phases(5)
    assert phases.places["forward"] == seen.line("loss = F.cross_entropy(model(x)")
    assert phases.places["update"] == seen.line("parameter -= ")
    assert phases.places["zero"] == seen.line("model.zero_grad()")
    assert phases.places["backward"] == seen.line("loss.backward()")


class Trainer:
    def __init__(self):
        self.model = Net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.losses = []

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())


def trained_by_an_object():
    trainer = Trainer()
    for _ in range(5):
        trainer.step(torch.randn(4, 6), torch.randint(0, 3, (4,)))
    return {"losses": trainer.losses, **trainer.model.state_dict()}


def test_a_model_that_an_object_holds_has_its_names(watch):
    seen = watch(trained_by_an_object)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    assert [event.name for event in seen.all(BatchSeen) if event.step == 2] == ["x", "y"]
