"""Models from the user's own file: what is filled in, what is put back, and the words of every refusal."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import nn

from descend.errors import ModelError
from descend.models.architecture import Architecture
from descend.models.build import build
from descend.models.output import check_output
from descend.models.user_file import load_class

HEAD = "import torch\nfrom torch import nn\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file into the current folder, which is a new one."""
    monkeypatch.chdir(tmp_path)

    def _write(text: str, name: str = "net.py") -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + dedent(text).removeprefix("\n"))
        return path

    return _write


def load(reference: str = "net.py:Net", feature_shape: tuple[int, ...] = (1, 8, 8), outputs: int = 3) -> nn.Module:
    return load_class(reference, feature_shape=feature_shape, outputs=outputs)


def refused(reference: str = "net.py:Net", feature_shape: tuple[int, ...] = (1, 8, 8)) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load(reference, feature_shape)
    assert caught.value.help
    return caught.value


def test_a_class_is_made(write):
    write("""
        class Net(nn.Linear):
            def __init__(self):
                super().__init__(2, 3)
    """)
    assert load().out_features == 3


def test_its_values_are_those_that_the_same_constructor_draws(write):
    write("""
        torch.manual_seed(99)
        class Net(nn.Linear):
            def __init__(self):
                super().__init__(2, 3)
    """)
    torch.manual_seed(5)
    plain = nn.Linear(2, 3)
    torch.manual_seed(5)
    assert torch.equal(load().weight, plain.weight)


def test_a_function_that_returns_a_module_is_called(write):
    write("def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))")
    assert isinstance(load("net.py:make"), nn.Sequential)


def test_a_module_is_taken_as_it_is(write):
    write("net = nn.Linear(64, 3)")
    assert load("net.py:net").in_features == 64


def test_build_takes_the_same_reference(write):
    write("""
        class Net(nn.Linear):
            def __init__(self, in_features, num_classes):
                super().__init__(in_features, num_classes)
    """)
    module = build(Architecture("net.py:Net", (7,), 4))
    assert (module.in_features, module.out_features) == (7, 4)


@pytest.mark.parametrize(
    ("arguments", "filled"),
    [
        ("in_features, out_features", "[64, 3]"),
        ("inputs, outputs", "[64, 3]"),
        ("num_features, num_classes", "[64, 3]"),
        ("input_size, n_classes", "[64, 3]"),
        ("in_channels, num_classes", "[1, 3]"),
        ("input_shape, classes", "[(1, 8, 8), 3]"),
        ("*, in_features, out_features", "[64, 3]"),
        ("in_features, out_features, /", "[64, 3]"),
        ("num_classes, in_features, hidden=128", "[3, 64]"),
    ],
)
def test_arguments_are_filled_by_their_names(write, arguments, filled):
    names = [part.split("=")[0].strip() for part in arguments.split(",") if part.strip() not in ("*", "/")]
    kept = ", ".join(name for name in names if name != "hidden")
    write(f"""
        class Net(nn.Linear):
            def __init__(self, {arguments}):
                super().__init__(1, 1)
                self.filled = [{kept}]
    """)
    assert str(load().filled) == filled


def test_arguments_with_a_default_keep_it(write):
    write("""
        class Net(nn.Linear):
            def __init__(self, in_features=2, *rest, **more):
                super().__init__(in_features, 1)
    """)
    assert load().in_features == 2


def test_arguments_that_cannot_be_filled_are_named(write):
    write("""
        class Net(nn.Module):
            def __init__(self, depth, width, num_classes):
                super().__init__()
    """)
    error = refused()
    assert error.what == "Net in net.py needs depth and width, and there is no value for them"
    assert error.where == "net.py:4"
    assert error.help.startswith("give a default: depth=128")


def test_a_table_has_no_channels(write):
    write("""
        class Net(nn.Module):
            def __init__(self, in_channels):
                super().__init__()
    """)
    assert "needs in_channels, and there is no value for it" in refused(feature_shape=(5,)).what


def test_files_beside_it_can_be_imported_and_the_path_is_as_before(write):
    write("WIDTH = 11", "own/parts.py")
    write(
        """
        import parts
        class Net(nn.Linear):
            def __init__(self):
                super().__init__(parts.WIDTH, 1)
    """,
        "own/net.py",
    )
    before = list(sys.path)
    assert load("own/net.py:Net").in_features == 11
    assert sys.path == before


def test_an_import_inside_the_constructor_works(write):
    write("WIDTH = 12", "parts.py")
    write("""
        class Net(nn.Linear):
            def __init__(self):
                import parts
                super().__init__(parts.WIDTH, 1)
    """)
    assert load().in_features == 12


def test_files_of_the_same_name_in_two_folders_do_not_mix(write):
    for folder, width in (("one", 5), ("two", 6)):
        write(f"WIDTH = {width}", f"{folder}/parts.py")
        write("from parts import WIDTH\nnet = nn.Linear(WIDTH, 1)", f"{folder}/net.py")
    assert [load(f"{folder}/net.py:net").in_features for folder in ("one", "two", "one")] == [5, 6, 5]


def test_an_edited_file_is_read_anew(write):
    write("net = nn.Linear(2, 1)")
    load("net.py:net")
    write("net = nn.Linear(3, 1)")
    assert load("net.py:net").in_features == 3


def test_dataclasses_in_the_file_work(write):
    write(
        """
        from dataclasses import dataclass

        @dataclass
        class Sizes:
            width: int = 4

        class Net(nn.Linear):
            def __init__(self):
                super().__init__(Sizes().width, 1)
    """.replace("        from __future__ import annotations\n", "")
    )
    assert load().in_features == 4


def test_lazy_layers_take_their_sizes_from_an_example(write):
    write("net = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))")
    assert load("net.py:net")[1].in_features == 64


def test_what_stands_behind_main_is_not_run(write):
    write("""
        net = nn.Linear(1, 1)
        if __name__ == '__main__':
            raise SystemExit(3)
    """)
    load("net.py:net")


def test_a_missing_file(write):
    write("", "nets.py")
    error = refused()
    assert error.what == "there is no file net.py (did you mean 'nets.py'?)"
    assert str(Path.cwd()) in error.where


def test_a_folder(write):
    Path("net.py").mkdir()
    assert refused().what == "net.py is a folder, not a Python file"


def test_a_file_of_another_kind(write):
    write("net = 1", "net.txt")
    assert refused("net.txt:net").what == "net.txt is not a Python file"


@pytest.mark.parametrize("reference", ["net.py", "net.py:"])
def test_no_class_named(write, reference):
    write("class Net(nn.Module): pass")
    error = refused(reference)
    assert error.what == "net.py does not say which class is the model"
    assert error.help == "add its name: --model net.py:ClassName"


def test_a_syntax_error(write):
    write("class Net(nn.Module)\n    pass")
    error = refused()
    assert error.what == "net.py is not valid Python: SyntaxError: expected ':'"
    assert error.where == "net.py:3"


def test_a_syntax_error_in_a_file_beside_it(write):
    write("x = (", "parts.py")
    write("import parts")
    error = refused()
    assert error.what.startswith("net.py cannot be loaded: SyntaxError")
    assert error.where == "parts.py:3"


@pytest.mark.parametrize("data", [b"\x00\x01", b"\xff\xfe\x00x = 1", b"# coding: nothing\nx = 1"])
def test_bytes_that_are_no_program(write, data):
    Path("net.py").write_bytes(data)
    assert refused().what.startswith("net.py is not valid Python: ")


def test_an_error_while_it_is_loaded(write):
    write("""
        def setup():
            return 1 / 0

        setup()
    """)
    error = refused()
    assert error.what == "net.py cannot be loaded: ZeroDivisionError: division by zero"
    assert error.where == "net.py:4 in setup"
    assert '__name__ == "__main__"' in error.help


def test_a_missing_import(write):
    write("import torch_of_another_kind")
    error = refused()
    assert error.what == "net.py cannot be loaded: ModuleNotFoundError: No module named 'torch_of_another_kind'"
    assert error.where == "net.py:3"


def test_a_constructor_that_ends_the_program(write):
    write("""
        import sys

        class Net(nn.Linear):
            def __init__(self):
                sys.exit(0)
    """)
    error = refused()
    assert error.what == "Net in net.py ends the program while it is made"
    assert error.where == "net.py:7 in __init__"
    assert error.help == "take the call that exits out of it"


def test_a_forward_that_ends_the_program():
    def leaves(x):
        raise SystemExit

    error = unfit(leaves, torch.zeros(6, 4))
    assert error.what == "the model ends the program where it is to give its outputs"
    assert error.help == "take the call that exits out of forward"


def test_a_state_that_could_not_be_kept_is_refused_before_it_is_trained(write):
    write("""
        class Net(nn.Linear):
            def __init__(self):
                super().__init__(2, 3)
                self.register_buffer("graph", torch.eye(3).to_sparse())
    """)
    error = refused()
    assert (
        error.what
        == "the model keeps a tensor of the layout sparse_coo in its state, and a model folder holds dense tensors only"
    )
    assert error.where == "'graph'"
    assert error.help.startswith("keep it dense: tensor.to_dense(); or out of the state: ")


def test_a_file_that_ends_the_program(write):
    write("import sys\nsys.exit(0)")
    error = refused()
    assert error.what == "net.py ends the program while it is loaded"
    assert error.where == "net.py:4"


def test_no_such_class(write):
    write("""
        class Network(nn.Module): pass
        def make(): pass
        size = 3
    """)
    error = refused("net.py:Netwrk")
    assert error.what == "net.py has no class 'Netwrk' (did you mean 'Network'?)"
    assert error.help == "the file has: Network, make"


def test_no_class_at_all(write):
    write("")
    assert refused().help == "write class ClassName(nn.Module) in it"


def test_a_class_that_is_no_module(write):
    write("""
        class Net:
            def __init__(self):
                pass
    """)
    error = refused()
    assert error.what == "Net in net.py is a class, but not a torch.nn.Module"
    assert error.where == "net.py:4"
    assert "class Net(nn.Module)" in error.help


def test_a_number(write):
    write("Net = 3")
    assert refused().what == "Net in net.py is of the type int, not a torch.nn.Module"


def test_a_function_that_returns_something_else(write):
    write("def make():\n    return 3")
    error = refused("net.py:make")
    assert error.what == "make in net.py returns a value of the type int, not a torch.nn.Module"
    assert error.where == "net.py:3"


def test_an_error_in_the_constructor(write):
    write("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(-1, 2)
    """)
    error = refused()
    assert error.what.startswith("Net in net.py cannot be made: RuntimeError: ")
    assert error.where == "net.py:6 in __init__"


def test_a_constructor_without_super(write):
    write("""
        class Net(nn.Module):
            def __init__(self):
                self.fc = nn.Linear(1, 2)
    """)
    error = refused()
    assert "AttributeError: cannot assign module before Module.__init__() call" in error.what
    assert error.where == "net.py:5 in __init__"


def test_layers_hidden_in_a_list(write):
    write("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = [nn.Linear(1, 2)]
    """)
    error = refused()
    assert error.what == "Net in net.py has no parameters: there is nothing to train"
    assert "nn.ModuleList" in error.help


def test_a_frozen_model(write):
    write("net = nn.Linear(2, 1).requires_grad_(False)")
    assert refused("net.py:net").what == "every parameter of net in net.py is frozen: there is nothing to train"


# Whether the output fits the labels


class Gives(nn.Module):
    """A model whose forward is the given function, or a linear layer of five outputs."""

    def __init__(self, function) -> None:
        super().__init__()
        self.last = nn.Linear(4, 5)
        self.function = function or self.last

    def forward(self, x):
        return self.function(x)


def unfit(function, features, outputs=10, loss="cross-entropy", task="classes") -> ModelError:
    module = function if isinstance(function, nn.Module) else Gives(function)
    with pytest.raises(ModelError) as caught:
        check_output(module, features, outputs, loss, task)
    return caught.value


@pytest.mark.parametrize("outputs", [1, 3, 4, 5])
def test_an_output_that_fits_passes(outputs):
    check_output(nn.Linear(2, outputs), torch.zeros(6, 2), outputs, "mse", "values")


def test_an_output_that_fits_passes_for_a_single_row():
    check_output(nn.Linear(2, 3), torch.zeros(1, 2), 3, "mse", "values")


def test_too_few_scores_name_the_layer_to_change():
    error = unfit(None, torch.zeros(6, 4))
    assert error.what == (
        "the model's output does not fit the labels: for features (4, 4) it gives (4, 5), "
        "and cross-entropy over 10 classes needs (4, 10)"
    )
    assert error.help == "let the last layer 'last' give 10: nn.Linear(4, 10)"
    assert Path(__file__).name in error.where
    assert error.where.endswith("in forward")


def test_too_few_scores_without_a_known_layer():
    assert unfit(lambda x: x, torch.zeros(6, 4)).help == (
        "let the last layer give 10 numbers a row, for example nn.Linear(…, 10)"
    )


def test_a_squeezed_column():
    error = unfit(lambda x: x[:, 0], torch.zeros(6, 4), 1, "mse", "values")
    assert "gives (4,), and mse over 1 value a row needs (4, 1)" in error.what
    assert ".unsqueeze(1)" in error.help


def test_two_classes_from_one_score():
    assert "over 2 classes needs (4, 1)" in unfit(lambda x: x, torch.zeros(6, 4), 1).what


def test_predictions_instead_of_scores():
    error = unfit(lambda x: x.argmax(1), torch.zeros(6, 4))
    assert error.help.startswith("give 10 numbers a row, not one: leave out argmax")


def test_an_output_that_lost_its_rows():
    error = unfit(lambda x: x.view(-1, 2), torch.zeros(6, 4), 2)
    assert error.help.startswith("the first axis has to stay the rows of the batch (4 here)")
    assert "gives ()" in unfit(lambda x: x.sum(), torch.zeros(6, 4)).what


def test_a_turned_output_is_noticed_also_for_four_outputs():
    assert "gives (4, 5), and" in unfit(lambda x: x.t(), torch.zeros(6, 4), 4).what


def test_an_image_as_output():
    assert unfit(lambda x: x, torch.zeros(6, 3, 2, 2), 3).help.startswith("flatten before the last layer")


def test_a_tuple_as_output():
    error = unfit(lambda x: (x, x), torch.zeros(6, 4))
    assert error.what == "the model gives a tuple for features (4, 4); cross-entropy needs one tensor (4, 10)"


def test_a_forward_without_return():
    error = unfit(lambda _: None, torch.zeros(6, 4))
    assert error.what == "the model gives None for features (4, 4); cross-entropy needs one tensor (4, 10)"
    assert error.help == "end forward with: return the outputs"


def test_whole_numbers_as_output():
    assert "whole numbers (torch.int64)" in unfit(lambda x: x.long(), torch.zeros(6, 10)).what


def test_features_that_the_first_layer_cannot_take(write):
    write("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(64, 10)

            def forward(self, x):
                return self.fc(x)
    """)
    error = unfit(load(), torch.zeros(6, 1, 8, 8))
    assert error.what.startswith(
        "the model cannot take features of the shape (4, 1, 8, 8): RuntimeError: mat1 and mat2"
    )
    assert error.where == "net.py:9 in forward"
    assert (
        error.help == "one batch is (rows, 1, 8, 8): begin forward with x = x.flatten(1), or fit the first layer to it"
    )


def test_features_that_a_stack_cannot_take():
    error = unfit(nn.Sequential(nn.Linear(3, 1)), torch.zeros(6, 2))
    assert error.where == ""
    assert error.help == "one batch is (rows, 2): fit the first layer to it"


def test_looking_at_the_output_changes_nothing():
    def noisy(x):
        x.mul_(0)
        return torch.rand(len(x), 10)

    module = Gives(noisy)
    module.last.eval()
    features, state = torch.ones(6, 4), torch.get_rng_state()
    check_output(module, features, 10, "cross-entropy", "classes")
    assert torch.equal(torch.get_rng_state(), state)
    assert features.all()
    assert module.training
    assert not module.last.training
