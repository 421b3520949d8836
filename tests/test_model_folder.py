"""The model folder: what comes back, what is never half written, and what a damaged or foreign folder says."""

import contextlib
import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from descend.errors import DataError, ModelError, StorageError
from descend.models import folder as folder_module
from descend.models.architecture import Architecture
from descend.models.build import build
from descend.models.description import ModelDescription
from descend.models.folder import load, save
from descend.models.model import Model

FEATURES = torch.linspace(-1, 1, 12).view(4, 3)


def describe(architecture: Architecture, **changes) -> ModelDescription:
    names = ("cat", "dog", "hen", "owl", "rat")[: architecture.outputs]
    columns = ("a", "b", "c") if architecture.feature_shape == (3,) else ()
    description = ModelDescription(
        architecture=architecture,
        preparation={"kind": "columns", "names": ["a", "b", "c"]},
        task="classes",
        feature_names=columns,
        target_names=names,
        loss="cross-entropy",
        recipe={"lr": 0.1, "sizes": [4]},
        metrics={"test": {"accuracy": 0.9}},
    )
    return replace(description, **changes)


MLP = Architecture("mlp", (3,), 2, (4,))


@pytest.fixture
def saved(tmp_path) -> Path:
    save(tmp_path / "model", build(MLP), describe(MLP))
    return tmp_path / "model"


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture("linear", (3,), 1),
        Architecture("softmax", (2, 3), 4),
        Architecture("mlp", (3,), 2, (5, 4), "tanh"),
        Architecture("cnn", (1, 8, 8), 3),
    ],
)
def test_a_model_comes_back_bit_for_bit(tmp_path, architecture):
    module, description = build(architecture), describe(architecture)
    description = replace(description, task="values" if architecture.outputs == 1 else "classes")
    save(tmp_path / "model", module, description)
    loaded = load(tmp_path / "model")
    features = torch.randn(5, *architecture.feature_shape)
    assert torch.equal(loaded.logits(features), module(features).detach())
    assert loaded.description == description
    assert not loaded.module.training
    assert all(parameter.requires_grad for parameter in loaded.module.parameters())


def test_the_folder_holds_two_files_that_other_programs_can_read(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["model.json", "model.safetensors"]
    values = json.loads((saved / "model.json").read_text())
    assert values["format"] == 1
    assert values["architecture"]["sizes"] == [4]
    assert values["versions"]["torch"] == torch.__version__
    assert values["sha256"] == hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert safetensors.torch.load_file(saved / "model.safetensors")["hidden1.weight"].shape == (4, 3)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_loading_draws_no_random_numbers(saved):
    state = torch.get_rng_state()
    load(saved)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_number_that_is_not_finite_becomes_null(tmp_path):
    metrics = {"test": {"loss": math.nan, "confusion": [[1, math.inf]]}}
    save(tmp_path / "model", build(MLP), describe(MLP, metrics=metrics))
    assert load(tmp_path / "model").description.metrics == {"test": {"loss": None, "confusion": [[1, None]]}}


def test_parameters_in_one_flat_tensor_are_saved_each_for_itself(tmp_path):
    module, start = build(MLP), 0
    flat = torch.randn(26)
    for parameter in module.parameters():
        parameter.data = flat[start : start + parameter.numel()].view(parameter.shape)
        start += parameter.numel()
    save(tmp_path / "model", module, describe(MLP))
    assert torch.equal(load(tmp_path / "model").logits(FEATURES), module(FEATURES).detach())


# A model of the user's

OWN = """
from pathlib import Path
from torch import nn

Path("executed").touch()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.norm(self.first(x)))
"""
OWN_NET = Architecture("net.py:Net", (3,), 3)


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A saved model of a class with tied weights and buffers; its file lies in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(OWN)
    module = build(OWN_NET)
    module(torch.randn(16, 3))  # moves the running means
    save("model", module, describe(OWN_NET))
    Path("executed").unlink()
    return Path("model")


def test_buffers_and_shared_tensors_come_back(own):
    first = load(own, code="net.py:Net")
    save("again", first.module, first.description)
    again = load("again", code="net.py:Net")
    assert again.module.norm.running_mean.any()
    assert again.module.second.weight is again.module.first.weight
    assert torch.equal(again.logits(FEATURES), first.logits(FEATURES))


def refused(call, *arguments, **settings) -> ModelError:
    with pytest.raises(ModelError) as caught:
        call(*arguments, **settings)
    assert caught.value.help
    return caught.value


def test_code_that_a_folder_names_is_never_run(own):
    error = refused(load, own)
    assert "(net.py:Net), and code that a folder names is never run" in error.what
    assert "add --model net.py:Net (in Python: code='net.py:Net')" in error.help
    assert not Path("executed").exists()


def test_only_the_file_that_the_caller_names_is_run(own):
    Path("mine.py").write_text(OWN.replace("executed", "mine"))
    load(own, code="mine.py:Net")
    assert Path("mine").exists()
    assert not Path("executed").exists()


def test_loading_the_users_class_draws_no_random_numbers(own):
    state = torch.get_rng_state()
    load(own, code="net.py:Net")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_class_that_has_changed_since(own):
    Path("net.py").write_text(OWN.replace("nn.BatchNorm1d(3)", "nn.LayerNorm(3)"))
    error = refused(load, own, code="net.py:Net")
    assert error.what == (
        "the weights do not fit the model: 'norm.num_batches_tracked' is not part of the model; "
        "'norm.running_mean' is not part of the model; 'norm.running_var' is not part of the model"
    )


def test_a_class_whose_output_has_changed_since(own):
    Path("net.py").write_text(OWN.replace("return self.second", "return 0, self.second"))
    assert "the model gives a tuple" in refused(load, own, code="net.py:Net").what


def test_code_for_a_built_in_model(saved):
    error = refused(load, saved, code="net.py:Net")
    assert error.what == "the model is a built-in mlp, and code was given for it: net.py:Net"
    assert error.help == "leave out --model"


def test_a_state_that_is_no_tensor(tmp_path):
    class Counting(nn.Linear):
        def get_extra_state(self) -> dict[str, int]:
            return {"calls": 3}

    error = refused(save, tmp_path / "model", Counting(3, 2), describe(MLP))
    assert error.what == "the model keeps a dict in its state, and a model folder holds tensors only"
    assert error.where == "'_extra_state'"
    assert list(tmp_path.iterdir()) == []


# Whole or not at all


def test_a_model_is_replaced(saved):
    module = build(MLP)
    save(saved, module, describe(MLP, loss="nll"))
    loaded = load(saved)
    assert loaded.description.loss == "nll"
    assert torch.equal(loaded.logits(FEATURES), module(FEATURES).detach())
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_missing_folders_above_it_are_made(tmp_path):
    save(tmp_path / "a" / "b" / "model", build(MLP), describe(MLP))
    load(tmp_path / "a" / "b" / "model")


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("all of it")
    error = refused(save, tmp_path, build(MLP), describe(MLP))
    assert "holds other things than a model (thesis.txt), so it is not replaced" in error.what
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_not_replaced(tmp_path):
    (tmp_path / "model").write_text("mine")
    assert refused(save, tmp_path / "model", build(MLP), describe(MLP)).what == "model is a file, not a folder"


@pytest.mark.parametrize("failing", ["write_atomically", "rename"])
def test_a_disk_that_refuses_leaves_the_old_model(saved, monkeypatch, failing):
    before = load(saved).logits(FEATURES)
    rename = Path.rename

    def full(*_):
        raise OSError(28, "No space left on device")

    def full_for_the_new_one(path, target):
        return full() if path.suffix == ".partial" else rename(path, target)

    if failing == "rename":
        monkeypatch.setattr(Path, "rename", full_for_the_new_one)
    else:
        monkeypatch.setattr(folder_module, "write_atomically", full)
    with pytest.raises(StorageError) as caught:
        save(saved, build(MLP), describe(MLP))
    monkeypatch.undo()
    assert caught.value.what == "cannot write model: no space left on device"
    assert caught.value.where == str(saved)
    assert torch.equal(load(saved).logits(FEATURES), before)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_an_interruption_leaves_the_old_model(saved, monkeypatch):
    rename = Path.rename

    def interrupted(path, target):
        if path.suffix == ".partial":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(saved, build(MLP), describe(MLP))
    monkeypatch.undo()
    load(saved)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


# Damaged and foreign folders


def change(folder: Path, **values) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def put_weights(folder: Path, data: bytes) -> None:
    (folder / "model.safetensors").write_bytes(data)
    change(folder, sha256=hashlib.sha256(data).hexdigest())


def test_a_missing_folder(tmp_path):
    error = refused(load, tmp_path / "nothing")
    assert error.what == f"there is no model folder {tmp_path / 'nothing'}"
    assert "descend runs" in error.help


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    error = refused(load, saved)
    assert error.what == f"{saved} has no {name}, so it is not a model folder"


def test_the_run_instead_of_its_model(saved):
    assert refused(load, saved.parent).help == f"its model is in {saved}"


def test_a_folder_in_place_of_a_file(saved):
    (saved / "model.json").unlink()
    (saved / "model.json").mkdir()
    assert refused(load, saved).what.startswith("model.json cannot be read: ")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"format": ' + b"9" * 5000 + b"}"])
def test_a_description_that_is_no_json(saved, data):
    (saved / "model.json").write_bytes(data)
    error = refused(load, saved)
    assert error.what.startswith("model.json is not valid JSON: ")
    assert error.where == str(saved / "model.json")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": None}, "'format' has to be a whole number, not None"),
        ({"format": True}, "'format' has to be a whole number, not True"),
        ({"task": "sing"}, "'task' has to be one of classes, values"),
        ({"architecture": 3}, "the architecture has to be an object, not 3"),
        ({"architecture": {"kind": "mlp"}}, "the architecture's 'activation' has to be text, not None"),
        ({"preparation": []}, "'preparation' has to be an object, not []"),
        ({"feature_names": "abc"}, "'feature_names' has to be a list, not 'abc'"),
        ({"target_names": [1, 2]}, "'target_names' has to be a list of texts"),
        ({"target_names": ["cat"]}, "1 target_names for 2 outputs"),
        ({"feature_names": ["a"]}, "1 feature_names for the shape (3,)"),
        ({"sha256": None}, "'sha256' has to be text, not None"),
    ],
)
def test_a_description_with_a_wrong_value(saved, values, words):
    change(saved, **values)
    error = refused(load, saved)
    assert error.what == f"model.json: {words}"
    assert "restore it from a copy" in error.help


def test_a_description_that_is_a_list(saved):
    (saved / "model.json").write_text("[1]")
    assert refused(load, saved).what == "model.json holds [1], not an object"


def test_a_model_of_a_newer_version(saved):
    change(saved, format=2)
    error = refused(load, saved)
    assert error.what == "the model was saved by a newer descend (format 2; this one reads up to 1)"
    assert error.help == "pip install --upgrade descend"


def test_weights_that_were_changed(saved):
    path = saved / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    error = refused(load, saved)
    assert error.what == "model.safetensors is not the file that model.json describes: its SHA-256 differs"


def test_weights_that_are_no_weights(saved):
    put_weights(saved, b"\x80\x04 a pickle")
    assert refused(load, saved).what.startswith("model.safetensors is not a safetensors file: ")


def test_weights_of_another_model(saved):
    weights = build(MLP).state_dict()
    del weights["hidden1.bias"]
    weights["hidden1.weight"], weights["output.weight"] = torch.zeros(9, 3), weights["output.weight"].double()
    put_weights(saved, safetensors.torch.save(weights))
    assert refused(load, saved).what == (
        "the weights do not fit the model: 'hidden1.bias' is missing; 'hidden1.weight' is (9, 3) float32, the model has (4, 3) float32; "
        "'output.weight' is (2, 4) float64, the model has (2, 4) float32"
    )


def test_a_folder_cannot_ask_for_more_memory_than_its_weights(saved):
    change(saved, architecture=MLP.to_json() | {"sizes": [2**30, 2**30]})
    assert "the weights do not fit the model" in refused(load, saved).what


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "model"
    save(folder, build(MLP), describe(MLP))
    return folder


@given(st.sampled_from(["model.json", "model.safetensors"]), st.data())
def test_damaged_bytes_never_end_in_another_error(original, tmp_path_factory, name, data):
    folder = original.with_name("damaged")
    shutil.copytree(original, folder, dirs_exist_ok=True)
    whole = (folder / name).read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    damaged = whole[:start] + data.draw(st.binary(max_size=8)) + whole[start + data.draw(st.integers(0, 8)) :]
    if name == "model.safetensors":
        put_weights(folder, damaged)  # with the checksum to it, as a stranger would
    else:
        (folder / name).write_bytes(damaged)
    with contextlib.suppress(ModelError):
        load(folder)


@given(
    st.sampled_from(
        ["format", "architecture", "preparation", "task", "feature_names", "target_names", "loss", "sha256"]
    ),
    json_values,
)
def test_odd_values_never_end_in_another_error(original, key, value):
    folder = original.with_name("odd")
    shutil.copytree(original, folder, dirs_exist_ok=True)
    change(folder, **{key: value})
    with contextlib.suppress(ModelError):
        load(folder)


@given(st.sampled_from(["kind", "feature_shape", "outputs", "sizes", "activation"]), json_values)
def test_odd_architectures_never_end_in_another_error(original, key, value):
    folder = original.with_name("odd")
    shutil.copytree(original, folder, dirs_exist_ok=True)
    change(folder, architecture=MLP.to_json() | {key: value})
    with contextlib.suppress(ModelError):
        load(folder)


# The model in use


def model(module: nn.Module, outputs: int, **changes) -> Model:
    return Model(module, describe(Architecture("linear", (3,), outputs), **changes))


def test_probabilities_are_the_softmax_of_the_logits():
    classifier = model(nn.Linear(3, 4), 4)
    logits = classifier.logits(FEATURES)
    assert torch.equal(logits, classifier.module(FEATURES).detach())
    assert not logits.requires_grad
    assert torch.equal(classifier.probabilities(FEATURES), nn.functional.softmax(logits, 1))
    assert torch.equal(classifier.predict(FEATURES), logits.argmax(1))


def test_one_logit_tells_two_classes_apart():
    classifier = model(nn.Linear(3, 1), 1, target_names=("no", "yes"))
    logits = classifier.logits(FEATURES)
    probabilities = classifier.probabilities(FEATURES)
    assert torch.equal(probabilities[:, 1:], torch.sigmoid(logits))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(4))
    assert torch.equal(classifier.predict(FEATURES), probabilities.argmax(1))


def test_values_are_what_the_module_gives():
    regression = model(nn.Linear(3, 2), 2, task="values")
    assert torch.equal(regression.predict(FEATURES), regression.module(FEATURES).detach())
    error = refused(regression.probabilities, FEATURES)
    assert error.what == "the model predicts values, which have no probabilities"


def test_a_model_is_used_in_evaluation_mode_and_left_as_it_was():
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
    assert module.training
    assert torch.equal(model(module, 4).logits(FEATURES), module[0](FEATURES).detach())
    assert module.training


@pytest.mark.parametrize("rows", [0, 1, 1024, 2500])
def test_many_rows_are_taken_in_parts(rows):
    classifier = model(nn.Linear(3, 4), 4)
    features = torch.randn(rows, 3)
    torch.testing.assert_close(classifier.logits(features), classifier.module(features).detach())


def test_bytes_and_doubles_become_floats():
    classifier = model(nn.Linear(3, 4), 4)
    assert torch.equal(classifier.logits(FEATURES.double()), classifier.logits(FEATURES))


@pytest.mark.parametrize("shape", [(), (3,), (2, 4), (2, 3, 1)])
def test_features_of_another_shape(shape):
    with pytest.raises(DataError) as caught:
        model(nn.Linear(3, 4), 4).logits(torch.zeros(shape))
    assert caught.value.what == f"features of the shape {shape} do not fit the model, which takes (N, 3)"
    assert "features.unsqueeze(0)" in caught.value.help
