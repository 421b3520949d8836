"""The part of an ejected script that makes the model and its initial values."""

import ast
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from keyword import iskeyword
from pathlib import Path

from descend.errors import ModelError
from descend.models.architecture import CNN_CHANNELS
from descend.models.user_file import value_for
from descend.train.eject.facts import LONGEST_LINE, Facts, UserModel
from descend.train.recipe import MODELS

_OWN_SOURCE = str(Path("descend", "train", "step.py"))  # every record of a training keeps it
_MOST_LAYERS_LISTED = 4  # linear ones; more are made in a loop
_USUAL_BETAS, _USUAL_EPSILON = (0.9, 0.999), 1e-8  # PyTorch's own
_OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}
_ACTIVATIONS = {"relu": "nn.ReLU()", "tanh": "nn.Tanh()", "sigmoid": "nn.Sigmoid()"}


def user_model(
    reference: str, sources: Mapping[str, str], feature_shape: tuple[int, ...], outputs: int
) -> UserModel | None:
    """What has to be known of ``"path/to/file.py:Name"``, read from the file's text without running it; None for a built-in model.

    Raises ModelError where the file is gone, where it cannot be imported by its name, and where its text does not tell which
    arguments the class takes.
    """
    if reference in MODELS:
        return None
    given, _, name = reference.rpartition(":")
    path, kept = _file_of(Path(given), sources)
    _check_importable(path, name)
    try:
        text = path.read_text(encoding="utf-8")
        found = _definition(ast.parse(text if kept is None else kept), name)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        raise ModelError(
            f"{path.name} cannot be read as Python: {error}", where=str(path), help="put the file of the training back"
        ) from None
    if found is None:
        raise _unclear(name, path)
    lazy = any(_is_lazy(node) for node in ast.walk(found))
    changed = kept is not None and kept != text
    if isinstance(found, ast.Module):
        return UserModel(path, name, name, ready_made=True, lazy=lazy, changed=changed)
    definition = _arguments_of(found, ast.parse(text if kept is None else kept))
    if definition is None:
        raise _unclear(name, path)
    arguments = _filled(definition, feature_shape, outputs, path)
    return UserModel(path, name, f"{name}({arguments})", ready_made=False, lazy=lazy, changed=changed)


def _file_of(given: Path, sources: Mapping[str, str]) -> tuple[Path, str | None]:
    """The model's file as it can be found now, and its text in the run where the record keeps that."""
    kept = [Path(file) for file in sources if Path(file).name == given.name and not file.endswith(_OWN_SOURCE)]
    for path in (*kept, given.resolve()):
        if path.is_file():
            return path, sources.get(str(path))
    help = "put it back; run.record().sources() in Python has its text" if kept else "go to the folder of the training"
    raise ModelError(
        f"the file of the model, {given.name}, is not there any more",
        where=str(kept[0] if kept else given.resolve()),
        help=help,
    )


def _check_importable(path: Path, name: str) -> None:
    taken = path.stem in sys.stdlib_module_names or path.stem == "torch"
    if taken or not (path.stem.isidentifier() and name.isidentifier()) or iskeyword(path.stem):
        why = "Python has a module of that name" if taken else "that is no name of a module"
        raise ModelError(
            f"a script cannot import {name} from {path.name}: {why}",
            where=str(path),
            help="give the file another name, of letters, digits and underscores, and train again",
        )


def _definition(tree: ast.Module, name: str) -> ast.FunctionDef | ast.ClassDef | ast.Module | None:
    """The function or class of that name; the file itself where it holds a module of that name ready made."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    ready_made = any(isinstance(target, ast.Name) and target.id == name for target in _assigned(tree))
    return tree if ready_made else None


def _arguments_of(found: ast.FunctionDef | ast.ClassDef, tree: ast.Module) -> ast.arguments | None:
    """What a function or a class takes, without ``self``; None where that is decided outside the file."""
    if isinstance(found, ast.FunctionDef):
        return found.args
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    while True:
        classes.pop(found.name, None)
        for node in found.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                arguments = node.args
                del (arguments.posonlyargs or arguments.args)[:1]
                return arguments
        bases = [ast.unparse(base) for base in found.bases]
        if bases and all(base in ("nn.Module", "torch.nn.Module", "Module") for base in bases):
            return ast.arguments([], [], None, [], [], None, [])
        if len(bases) != 1 or bases[0] not in classes:
            return None
        found = classes[bases[0]]


def _is_lazy(node: ast.AST) -> bool:
    """Whether this is a layer such as ``nn.LazyLinear``, which takes its sizes from an example."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return re.fullmatch(r"Lazy(Linear|Conv\w*|BatchNorm\w*|InstanceNorm\w*)", name) is not None


def _assigned(tree: ast.Module) -> list[ast.expr]:
    targets: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign):
            targets.append(node.target)
    return targets


def _unclear(name: str, path: Path) -> ModelError:
    return ModelError(
        f"the text of {path.name} does not tell which arguments {name} takes, and it is not run to find out",
        where=str(path),
        help=f"give {name} an __init__ of its own in that file, and train again",
    )


def _filled(definition: ast.arguments, feature_shape: tuple[int, ...], outputs: int, path: Path) -> str:
    """Values for the arguments without a default, as ``load_class`` fills them by their names."""
    every = [*definition.posonlyargs, *definition.args]
    required = every[: len(every) - len(definition.defaults)]
    required += [
        argument
        for argument, default in zip(definition.kwonlyargs, definition.kw_defaults, strict=True)
        if default is None
    ]
    by_place = {argument.arg for argument in definition.posonlyargs}
    texts = []
    for argument in required:
        value = value_for(argument.arg, feature_shape, outputs)
        if value is None:
            raise _unclear(argument.arg, path)
        texts.append(f"{value}" if argument.arg in by_place else f"{argument.arg}={value}")
    return ", ".join(texts)


def model_lines(facts: Facts) -> list[str]:
    """Lines that leave ``model`` behind (or ``w`` and ``b`` where everything is written by hand), with its initial values."""
    if facts.in_two_letters:
        lines = _two_letters(facts)
    elif facts.user is not None:
        lines = _user(facts, facts.user)
    else:
        lines = _stack(facts)
    if facts.recipe.device != "cpu":
        lines.append(f'model.to("{facts.recipe.device}")')
    if facts.lists_parameters:
        frozen = "[w for w in model.parameters() if w.requires_grad]" if facts.user else "list(model.parameters())"
        lines.append(f"parameters = {frozen}")
    if facts.keeps_gradients:
        why = "  # also of a parameter that takes part in no forward pass" if facts.user else ""
        lines += ["for w in parameters:", f"    w.grad = torch.zeros_like(w){why}"]
    return [*lines, *_optimizer(facts), ""]


def _two_letters(facts: Facts) -> list[str]:
    inputs, outputs = facts.inputs, facts.outputs
    drawn = {
        "normal": (f"torch.randn({inputs}, {outputs})", f"torch.randn({outputs})"),
        "xavier": (f"(torch.randn({inputs}, {outputs}) / math.sqrt({inputs}))", f"torch.zeros({outputs})"),
        "zeros": (f"torch.zeros({inputs}, {outputs})", f"torch.zeros({outputs})"),
    }
    w, b = drawn[facts.recipe.initial]
    return [
        "# Model: prediction = x @ w.T + b",
        f"w = {w}.T.contiguous()  # ({outputs}, {inputs})",
        f"b = {b}  # ({outputs},)",
    ]


def _stack(facts: Facts) -> list[str]:
    drawn = facts.recipe.initial != "default"
    if facts.recipe.model == "cnn":
        return ["model = nn.Sequential(  # for B images at once", *(f"    {layer}" for layer in _cnn(facts)), ")"]
    linear = "nn.utils.skip_init(nn.Linear, {}, {})" if drawn else "nn.Linear({}, {})"
    recipe = facts.recipe
    widths = (facts.inputs, *(recipe.sizes if recipe.model == "mlp" else ()), facts.outputs)
    flat = [] if len(facts.feature_shape) == 1 else ["nn.Flatten()"]
    if len(widths) - 1 > _MOST_LAYERS_LISTED:
        lines = _loop_over(widths, flat, linear.format("inputs", "outputs"), _ACTIVATIONS[recipe.activation])
    else:
        lines = ["model = nn.Sequential(  # for B rows at once"]
        lines += [f"    {layer},  # (B, {facts.inputs})" for layer in flat]
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            lines.append(f"    {linear.format(inputs, outputs)},  # (B, {outputs})")
            lines += [f"    {_ACTIVATIONS[recipe.activation]},"] if number < len(widths) - 1 else []
        lines.append(")")
    if drawn:
        # Every second layer is a linear one.
        filled = _initial(recipe.initial, [f"for layer in model[{len(flat)}::2]:"])
        lines += ["with torch.no_grad():  # initial values; skip_init has drawn none", *filled]
    return lines


def _loop_over(widths: Sequence[int], flat: Sequence[str], linear: str, activation: str) -> list[str]:
    """A stack of many layers."""
    numbers = textwrap.wrap(f"widths = ({', '.join(map(str, widths))})", LONGEST_LINE, subsequent_indent="    ")
    return [
        *numbers,
        f"layers = [{', '.join(flat)}]",
        "for inputs, outputs in itertools.pairwise(widths):",
        f"    layers += [{linear}, {activation}]  # (B, outputs)",
        "model = nn.Sequential(*layers[:-1])  # for B rows at once; nothing bends the last output",
    ]


def _cnn(facts: Facts) -> list[str]:
    channels, height, width = facts.feature_shape
    first, second = CNN_CHANNELS
    return [
        f"nn.Conv2d({channels}, {first}, 3, padding=1),  # (B, {first}, {height}, {width})",
        "nn.ReLU(),",
        f"nn.MaxPool2d(2),  # (B, {first}, {height // 2}, {width // 2})",
        f"nn.Conv2d({first}, {second}, 3, padding=1),  # (B, {second}, {height // 2}, {width // 2})",
        "nn.ReLU(),",
        f"nn.MaxPool2d(2),  # (B, {second}, {height // 4}, {width // 4})",
        "nn.Flatten(),",
        f"nn.Linear({second * (height // 4) * (width // 4)}, {facts.outputs}),  # (B, {facts.outputs})",
    ]


def _initial(how: str, layers: Sequence[str]) -> list[str]:
    """Lines that fill every linear layer, drawing what a script that writes ``x @ w + b`` would draw; ``layers`` walks them."""
    if how == "zeros":
        return ["    for w in model.parameters():", "        w.zero_()"]
    scale = " / math.sqrt(layer.in_features)" if how == "xavier" else ""
    bias = "layer.bias.zero_()" if how == "xavier" else "layer.bias.copy_(torch.randn(layer.out_features))"
    inside = "    " * (len(layers) + 1)
    return [
        *(f"    {line}" for line in layers),
        f"{inside}w = torch.randn(layer.in_features, layer.out_features){scale}  # (in, out)",
        f"{inside}layer.weight.copy_(w.T)  # (out, in)",
        f"{inside}{bias}  # (out,)",
    ]


def _user(facts: Facts, user: UserModel) -> list[str]:
    drawn = facts.recipe.initial != "default"
    made = f"model = {user.call}"
    if user.ready_made:
        made = f"from {user.path.stem} import {user.name}{'' if user.name == 'model' else ' as model'}"
    lines = [made]
    if user.ready_made or drawn:
        lines = ["with torch.random.fork_rng(devices=[]):  # what is drawn in here counts for nothing", f"    {made}"]
    if user.lazy or drawn:
        lines.append("with torch.no_grad():")
    if user.lazy:
        example = ", ".join(map(str, (1, *facts.feature_shape)))
        lines.append(f"    model.eval()(torch.zeros({example}))  # its lazy layers take their sizes from it")
    if drawn:
        walk = ["for layer in model.modules():", "    if isinstance(layer, nn.Linear):"]
        lines += _initial(facts.recipe.initial, walk)
    return lines


def _optimizer(facts: Facts) -> list[str]:
    recipe = facts.recipe
    if recipe.optimizer == "sgd":
        if recipe.momentum:
            return ["velocities = [torch.zeros_like(w) for w in parameters]  # what is kept of the last changes"]
        return []
    rate = "highest_rate" if facts.has_rate_function else "learning_rate"
    settings = [f"lr={rate}"]
    if (recipe.beta1, recipe.beta2) != _USUAL_BETAS:
        settings.append(f"betas=({recipe.beta1!r}, {recipe.beta2!r})")
    if recipe.epsilon != _USUAL_EPSILON:
        settings.append(f"eps={recipe.epsilon!r}")
    if recipe.weight_decay or recipe.optimizer == "adamw":
        settings.append(f"weight_decay={recipe.weight_decay!r}")
    settings += ["fused=True"]
    made, arguments = (
        f"optimizer = torch.optim.{_OPTIMIZERS[recipe.optimizer]}",
        f"model.parameters(), {', '.join(settings)}",
    )
    line = f"{made}({arguments})"
    return [line] if len(line) <= LONGEST_LINE else [f"{made}(", f"    {arguments}", ")"]
