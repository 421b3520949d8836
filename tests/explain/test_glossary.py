"""Every name of the glossary is really there, takes what it is said to take, and is told in few words of our own."""

import builtins
import importlib
import importlib.util
import inspect
import keyword
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend.explain.glossary.words import Entry, entries, entry

ENTRIES = entries()
NAMES = [name for each in ENTRIES for name in (each.name, *each.also)]
PHASES = {None, "data", "forward", "loss", "backward", "update", "zero"}
# Words that somebody who begins has not met, and that the plain wording does without.
JARGON = (
    "autograd|broadcast|leaf|leaves|contiguous|stride|logits?|in-place|scalars?|dtype|affine|stochastic|hyperparameters?|jacobian"
    "|hessian|tensors? of rank|module|instance|callable|iterable|kernels?|elementwise|backprop\\w*|regulari\\w+|normali[sz]\\w+"
    "|initiali[sz]\\w+|seriali[sz]\\w+|concatenat\\w+|permut\\w+|underflow|closure|tuple|boolean|API|GPU|CUDA|float32|int64"
)


def found(name: str) -> object:
    """What the full name stands for; modules are imported, attributes looked up."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            value = getattr(value, part)
        return value
    return getattr(builtins, name, None)


def source_of_torchvision(name: str) -> str:
    """The text of the class in torchvision's files, which need not fit the torch that is installed."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("torchvision is not installed")
    _, room, kind = name.split(".")
    texts = [path.read_text(encoding="utf-8") for path in Path(spec.submodule_search_locations[0], room).glob("*.py")]
    bodies = [
        found[0]
        for text in texts
        for found in [re.search(rf"^class {kind}\b.*?(?=^class |\Z)", text, re.MULTILINE | re.DOTALL)]
        if found
    ]
    assert bodies, name
    return " ".join(bodies)


def signature_of(name: str) -> str:
    """The names of the arguments, from the signature or, for functions written in C, from the first lines of the documentation."""
    if name.startswith("torchvision."):
        return source_of_torchvision(name)
    thing = found(name)
    assert isinstance(thing, Callable)  # type: ignore[arg-type]
    texts = [str(thing.__doc__)]
    for each in (thing, getattr(thing, "__init__", None)):
        try:
            texts.append(str(inspect.signature(each)))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
    return " ".join(texts)


def test_there_are_enough_names_of_pytorch() -> None:
    assert len([name for name in NAMES if name.startswith("torch.")]) >= 170
    assert len([each for each in ENTRIES if each.name.startswith("torch")]) >= 170


@pytest.mark.parametrize("name", NAMES)
def test_the_name_is_there(name: str) -> None:
    if name in keyword.kwlist or name.startswith("__"):
        return
    if name.startswith("torchvision."):
        assert source_of_torchvision(name)
        return
    if name == "torch.optim.Optimizer.param_groups":
        assert hasattr(torch.optim.SGD([torch.zeros(1)]), "param_groups")
        return
    assert found(name) is not None


@pytest.mark.parametrize("each", [each for each in ENTRIES if each.arguments], ids=lambda each: each.name)
def test_the_arguments_are_there(each: Entry) -> None:
    signatures = " ".join(signature_of(name) for name in (each.name, *each.also))
    for argument in each.arguments:
        assert re.search(rf"\b{argument}\b", signatures), argument


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: each.name)
def test_the_words_are_few(each: Entry) -> None:
    assert 3 < len(each.plain) <= 110
    assert 3 < len(each.usual) <= 90
    assert 2 < len(each.terse) <= 32
    assert len(each.terse) < len(each.usual)
    assert each.phase in PHASES
    for plain, usual in each.arguments.values():
        assert 5 < len(plain) <= 90
        assert 5 < len(usual) <= 90
    for text in (each.plain, each.usual, each.terse):
        assert not text.endswith(".")
        assert text == text.strip()


@pytest.mark.parametrize("each", ENTRIES, ids=lambda each: each.name)
def test_the_plain_words_are_plain(each: Entry) -> None:
    for text in (each.plain, each.template, *(plain for plain, _ in each.arguments.values())):
        assert not re.search(rf"\b({JARGON})\b", text, re.IGNORECASE), text


def test_no_sentence_comes_twice() -> None:
    sentences = [text for each in ENTRIES for text in (each.plain, each.usual, each.terse)]
    words = {text for each in ENTRIES for text in each.arguments.values()}
    counted = Counter([*sentences, *(text for pair in words for text in pair)])
    assert {text: times for text, times in counted.items() if times > 1} == {}


def test_no_name_comes_twice() -> None:
    assert {name: times for name, times in Counter(NAMES).items() if times > 1} == {}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("torch.nn.Linear", "torch.nn.Linear"),
        ("nn.Linear", "torch.nn.Linear"),
        ("Linear", "torch.nn.Linear"),
        ("F.cross_entropy", "torch.nn.CrossEntropyLoss"),
        (".backward", "torch.Tensor.backward"),
        ("x.backward", "torch.Tensor.backward"),
        ("loss.backward()", "torch.Tensor.backward"),
        ("w.grad.zero_", "torch.Tensor.zero_"),
        ("data.to", "torch.Tensor.to"),
        ("model.eval", "torch.nn.Module.eval"),
        ("optimizer.step", "torch.optim.Optimizer.step"),
        ("scheduler.step", "torch.optim.lr_scheduler.LRScheduler.step"),
        ("lr_sched.step", "torch.optim.lr_scheduler.LRScheduler.step"),
        ("np.random.seed", "numpy.random.seed"),
        ("transforms.ToTensor", "torchvision.transforms.ToTensor"),
        ("DataLoader", "torch.utils.data.DataLoader"),
        ("float", "float"),
        ("x.float", "torch.Tensor.float"),
        ("for", "for"),
    ],
)
def test_a_name_is_found_as_programs_write_it(asked: str, name: str) -> None:
    answer = entry(asked)
    assert answer is not None
    assert answer.name == name


@pytest.mark.parametrize(
    "asked", ["np.mean", "torch.foo", "self.dropout", "math.exp", "fit", "", ".", "x.", "plt.step"]
)
def test_other_names_are_not_found(asked: str) -> None:
    assert entry(asked) is None


@given(st.text(max_size=30))
def test_any_text_may_be_asked_for(asked: str) -> None:
    answer = entry(asked)
    assert answer is None or asked.strip().strip("()").strip().rpartition(".")[2] in str((answer.name, *answer.also))


def test_numbers_are_put_in_where_they_are_known() -> None:
    linear = entry("nn.Linear")
    assert linear is not None
    assert linear.filled({"in_features": 784, "out_features": 128, "bias": True}) == (
        "inputs: 784, outputs: 128; every output is a weighted sum of all inputs"
    )
    assert linear.filled({"in_features": 784}) is None
    relu = entry("nn.ReLU")
    assert relu is not None
    assert relu.filled({"inplace": True}) is None


def test_every_template_is_filled_by_arguments_of_its_entry() -> None:
    for each in ENTRIES:
        if each.template:
            assert each.filled(dict.fromkeys(each.arguments, "1")) is not None, each.name


def test_the_three_levels() -> None:
    relu = entry("nn.ReLU")
    assert relu is not None
    assert [relu.worded(level) for level in ("plain", "usual", "terse")] == [relu.plain, relu.usual, relu.terse]
