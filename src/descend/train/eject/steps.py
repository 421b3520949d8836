"""The parts of an ejected script that train: settings, learning rates, evaluation, and the loop around the step."""

from collections.abc import Sequence

from descend.train.eject.facts import LONGEST_LINE, Facts
from descend.train.metrics import ROWS_AT_ONCE
from descend.train.schedule import (
    ONE_CYCLE_END,
    ONE_CYCLE_RISE,
    ONE_CYCLE_START,
    PLATEAU_BETTER,
    PLATEAU_SMALLEST_DROP,
)

MOST_LINES = 40  # of epochs; of more, some twenty are printed
_LOSSES = {
    "mse": "F.mse_loss(output, y{})",
    "mae": "F.l1_loss(output, y{})",
    "huber": "F.huber_loss(output, y{})",
    "cross-entropy": "F.cross_entropy(output, y{})",
    "nll": "F.nll_loss(F.log_softmax(output, dim=1), y{})",
    "binary-cross-entropy": "F.binary_cross_entropy_with_logits(output, y{})",
}
_IN_WORDS = {"train": "training", "validation": "validation", "test": "test"}


def settings_lines(facts: Facts, *, brief: bool = False) -> list[str]:
    """The settings that a reader may want to change, and where random numbers start. brief: they share one line."""
    recipe = facts.recipe
    lines = []
    if recipe.threads is not None:
        lines.append(f"torch.set_num_threads({recipe.threads})  # as in the run: more threads add up in another order")
    if facts.by_hand and recipe.device == "cpu":
        lines.append("torch.set_flush_denormal(True)  # numbers below 1.2e-38 count as zero: they cost much time")
    settings = {"seed": recipe.seed, "epochs": recipe.epochs}
    if not facts.whole:
        settings["batch_size"] = facts.batch_size
    rate = "learning_rate" if recipe.schedule in ("constant", "plateau") else "highest_rate"
    values = {name: repr(value) for name, value in (settings | {rate: recipe.lr}).items()}
    if brief:
        lines.append(f"{', '.join(values)} = {', '.join(values.values())}")
    else:
        lines += [f"{name} = {value}" for name, value in values.items()]
    return [*lines, "torch.manual_seed(seed)", ""]


def rate_lines(facts: Facts) -> list[str]:
    """The function that gives the learning rate of every step, where there is one."""
    recipe, steps = facts.recipe, facts.steps
    match recipe.schedule:
        case "cosine":
            body = [
                f'    """The learning rate after so many steps: half a cosine, from the highest to nothing in {steps:,}."""',
                f"    return 0.5 * highest_rate * (1 + math.cos(math.pi * done / {steps}))",
            ]
        case "one-cycle":
            body = _one_cycle(steps)
        case "step":
            drop = recipe.schedule_every * (steps // recipe.epochs)
            body = [
                f'    """The learning rate after so many steps: every {drop:,} of them multiply it by {recipe.schedule_factor!r}."""',
                f"    return highest_rate * {recipe.schedule_factor!r} ** (done // {drop})",
            ]
        case _:
            return []
    return ["", "def rate(done):", *body, "", ""]


def _one_cycle(steps: int) -> list[str]:
    top, end = ONE_CYCLE_RISE * steps - 1, steps - 1
    fall = f"(done - {top!r}) / {end - top!r}" if end > top else "1.0"
    return [
        f'    """The learning rate after so many of {steps:,} steps: up to the highest, then far down, along half cosines."""',
        f"    start, end, share = highest_rate / {ONE_CYCLE_START!r}, highest_rate, done / {top!r}",
        f"    if done > {top!r}:",
        f"        start, end, share = end, end / {ONE_CYCLE_START!r} / {ONE_CYCLE_END!r}, {fall}",
        "    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))",
    ]


def examine_lines(facts: Facts) -> list[str]:
    """The function that says how good the model is, without learning, and what it says of the untrained one."""
    figure = "share of right answers" if facts.classes else "root of the mean squared error"
    each = _LOSSES[facts.recipe.loss].format(', reduction="none"')
    each += ".double()" if _is_one_number_a_row(facts) else ".double().mean(1)"
    says_right = "((output > 0) == y)" if facts.recipe.loss == "binary-cross-entropy" else "(output.argmax(1) == y)"
    counted = f"{says_right}.sum().item()" if facts.classes else "(output.double() - y).square().sum(0)"
    output = f"output = {_call(facts, 'x')}"
    if facts.user is not None:
        output = "output = model(x.clone())  # a copy: the model may change what it is given"
    name = "right" if facts.classes else "squares"
    figure_of = "right / len({0})" if facts.classes else "(squares / len({0})).sqrt().mean().item()"
    if facts.largest_part > ROWS_AT_ONCE:
        loop = f"for x, y in zip(x_all.split({ROWS_AT_ONCE}), y_all.split({ROWS_AT_ONCE})):"
        measured = [loop, *_indented([output, f"loss += {each}.sum().item()", f"{name} += {counted}"])]
        rows, begin = "x_all", [f"loss, {name} = 0.0, 0"]
        head = "def examine(x_all, y_all):"
    else:
        measured = [output, f"loss = {each}.sum().item()", f"{name} = {counted}"]
        rows, begin, head = "x", [], "def examine(x, y):"
    lines = [
        head,
        f'    """Mean loss and {figure}, over all rows and without learning."""',
        *(["    model.eval()"] if facts.user is not None else []),
        *_indented(begin),
        *(_indented(measured) if facts.in_two_letters else ["    with torch.no_grad():", *_indented(measured, 2)]),
        *(["    model.train()"] if facts.user is not None else []),
        f"    return loss / len({rows}), {figure_of.format(rows)}",
    ]
    pairs = ", ".join(f'("{_IN_WORDS[part]}", x_{part}, y_{part})' for part in facts.parts)
    comma = "," if len(facts.parts) == 1 else ""
    return ["", *lines, "", "", f"parts = ({pairs}{comma})", *_print_parts(facts, "before"), ""]


def _is_one_number_a_row(facts: Facts) -> bool:
    return facts.recipe.loss in ("cross-entropy", "nll")


def _print_parts(facts: Facts, when: str) -> list[str]:
    figure = "accuracy {:.2%}" if facts.classes else "RMSE {:.4f}"
    return [
        "for name, x, y in parts:",
        f'    print("{when:<6}   {{}} loss {{:.4f}}   {figure}".format(name, *examine(x, y)))',
    ]


def loop_lines(facts: Facts) -> list[str]:
    """The training itself, and what it came to."""
    recipe = facts.recipe
    begins = ["losses = []  # of every step"]
    if recipe.schedule == "plateau":
        begins.append("lowest, waited = math.inf, 0")
    if "validation" in facts.parts:
        begins.append("best_loss, best_epoch = math.inf, 0")
    body = [*_indented(_epoch_lines(facts)), *_indented(_after_epoch(facts))]
    ends = []
    if "validation" in facts.parts:
        ends.append("model.load_state_dict(best)  # the weights of the best epoch")
    ends += _print_parts(facts, "after")
    if facts.in_two_letters:
        ends.append('print("w", w.tolist(), "b", b.tolist())')
    return [*begins, "for epoch in range(1, epochs + 1):", *body, "", *ends]


def _epoch_lines(facts: Facts) -> list[str]:
    """All steps of one epoch."""
    recipe = facts.recipe
    if facts.whole:
        copied = facts.user is not None and not facts.by_hand
        return _step(facts, ["x, y = x_train.clone(), y_train"] if copied else ["x, y = x_train, y_train"])
    lines = ["total = 0.0"]
    if recipe.shuffle:
        generator = "torch.Generator().manual_seed(seed * 1_000_003 + epoch)"
        lines += [
            "# A new order of the rows, drawn from the seed and the epoch alone",
            f"order = torch.randperm(len(x_train), generator={generator}){_to_device(facts)}",
        ]
        batches, names = "order.split(batch_size)", "rows"
        fetch = [f"x, y = x_train[rows], y_train[rows]{_shapes(facts)}"]
    else:
        batches, names = "zip(x_train.split(batch_size), y_train.split(batch_size))", "x, y"
        fetch = [] if facts.by_hand else ["x = x.clone()  # the model may change its rows in place"]
    if recipe.accumulate == 1:
        return [*lines, f"for {names} in {batches}:", *_indented(_step(facts, fetch))]
    listed = batches if recipe.shuffle else f"list({batches})"
    size = "len(rows)" if recipe.shuffle else "len(x)"
    return [
        *lines,
        f"batches = {listed}",
        f"for first in range(0, len(batches), {recipe.accumulate}):",
        f"    group = batches[first : first + {recipe.accumulate}]  # their gradients make one update",
        f"    together = sum({size} for {names} in group)",
        *_indented(_accumulated_step(facts, names, [*fetch, f"share = {size} / together"])),
    ]


def _step(facts: Facts, fetch: Sequence[str]) -> list[str]:
    """data → forward → loss → backward → update → zero, and the loss kept."""
    return [
        *fetch,
        *_forward_and_loss(facts),
        *_backward(facts),
        *_update(facts),
        *_zero(facts),
        "losses.append(loss.item())",
        *([] if facts.whole else ["total += losses[-1] * len(x)"]),
    ]


def _accumulated_step(facts: Facts, names: str, fetch: Sequence[str]) -> list[str]:
    place = f', device="{facts.recipe.device}"' if facts.recipe.device != "cpu" else ""
    if facts.by_hand:
        start = "output, parameters, error" if facts.sums_errors else "loss, parameters"
        scaled = (
            ["    gradient *= 2 / error.numel()  # the factor of (ŷ − y)², applied last"] if facts.sums_errors else []
        )
        backward = [
            f"for w, gradient in zip(parameters, torch.autograd.grad({start})):",
            *scaled,
            "    w.grad.add_(gradient, alpha=share)",
        ]
    else:
        backward = ["(loss * share).backward()  # backward: adds to every gradient"]
    return [
        f"mean = torch.zeros((){place})",
        f"for {names} in group:",
        *_indented([*fetch, *_forward_and_loss(facts), *backward, "mean.add_(loss.detach(), alpha=share)"]),
        *_update(facts),
        *_zero(facts),
        "losses.append(mean.item())",
        "total += losses[-1] * together",
    ]


def _forward_and_loss(facts: Facts) -> list[str]:
    output = f"output = {_call(facts, 'x')}  # forward: (B, {facts.outputs})"
    if facts.in_two_letters:
        return [
            output,
            "error = output - y",
            "loss = (error * error).sum() / error.numel()  # loss: the mean squared error",
        ]
    if facts.sums_errors:
        return [
            output,
            "error = output.detach() - y",
            "loss = (error * error).sum() / error.numel()  # loss: the mean squared error",
        ]
    return [output, f"loss = {_LOSSES[facts.recipe.loss].format('')}  # loss"]


def _call(facts: Facts, features: str) -> str:
    return f"F.linear({features}, w, b)" if facts.in_two_letters else f"model({features})"


def _backward(facts: Facts) -> list[str]:
    if facts.in_two_letters:
        return [
            f"dw = error.T @ x * (2 / error.numel())  # backward: ∂loss/∂w = 2/n · Σ error · x     ({facts.outputs}, {facts.inputs})",
            f"db = error.sum(0) * (2 / error.numel())  #           ∂loss/∂b = 2/n · Σ error         ({facts.outputs},)",
        ]
    if not facts.sums_errors:
        return ["loss.backward()  # backward: the gradient of every parameter, by the chain rule"]
    return [
        "# backward: ∂loss/∂output = 2/n · error; sums are made with error alone, the factor comes last, as on paper",
        "output.backward(error)",
        "for w in parameters:",
        "    w.grad *= 2 / error.numel()",
    ]


def _update(facts: Facts) -> list[str]:
    recipe = facts.recipe
    lines = []
    if recipe.clip is not None:
        lines += [
            "# The norm of all gradients in one row, where each begins at a multiple of 16, is to be no larger than the limit",
            "row = torch.cat([F.pad(w.grad.flatten(), (0, -w.numel() % 16)) for w in parameters])",
            f"scale = ({recipe.clip!r} / (torch.linalg.vector_norm(row) + 1e-6)).clamp(max=1.0)",
            "for w in parameters:",
            "    w.grad *= scale",
        ]
    if facts.has_rate_function and recipe.optimizer == "sgd":
        lines.append("learning_rate = rate(len(losses))")
    if facts.in_two_letters:
        return [*lines, "w -= learning_rate * dw  # update", "b -= learning_rate * db"]
    if recipe.optimizer != "sgd":
        if recipe.schedule != "constant":
            rate = "rate(len(losses))" if facts.has_rate_function else "learning_rate"
            lines.append(f'optimizer.param_groups[0]["lr"] = {rate}')
        return [*lines, "optimizer.step()  # update"]
    return [*lines, "with torch.no_grad():  # update", *_indented(_descent(facts))]


def _descent(facts: Facts) -> list[str]:
    recipe = facts.recipe
    if not recipe.momentum and not recipe.weight_decay:
        return ["for w in parameters:", "    w -= learning_rate * w.grad"]
    gradient, lines = "w.grad", []
    if recipe.weight_decay:
        lines.append(f"gradient = w.grad.add(w, alpha={recipe.weight_decay!r})  # a pull towards zero")
        gradient = "gradient"
    if recipe.momentum:
        lines.append(f"velocity.mul_({recipe.momentum!r}).add_({gradient})")
        change = f"{gradient}.add(velocity, alpha={recipe.momentum!r})" if recipe.nesterov else "velocity"
    else:
        change = gradient
    loop = "for w, velocity in zip(parameters, velocities):" if recipe.momentum else "for w in parameters:"
    return [loop, *_indented([*lines, f"w -= learning_rate * {change}"])]


def _zero(facts: Facts) -> list[str]:
    if facts.in_two_letters:
        return []
    owner = "model" if facts.recipe.optimizer == "sgd" else "optimizer"
    return [f"{owner}.zero_grad({'set_to_none=False' if facts.keeps_gradients else ''})  # zero"]


def _after_epoch(facts: Facts) -> list[str]:
    """Evaluation, what the schedule and the choice of the best epoch make of it, and a line for the reader."""
    recipe = facts.recipe
    width = len(str(recipe.epochs))
    number = f"{{epoch:>{width}}}" if width > 1 else "{epoch}"
    shown = [f"epoch {number}   loss {{{_epoch_loss(facts)}:.4f}}"]
    lines = []
    figure, form = ("accuracy", ".2%") if facts.classes else ("rmse", ".4f")
    for part in facts.parts[1:]:
        lines.append(f"{part}_loss, {part}_{figure} = examine(x_{part}, y_{part})")
        word = "accuracy" if facts.classes else "RMSE"
        shown.append(f"{part} loss {{{part}_loss:.4f}} {word} {{{part}_{figure}:{form}}}")
    said = [f'print(f"{"   ".join(shown)}")']
    if len(said[0]) > LONGEST_LINE - 8:
        first, *others = shown[1:]
        said = [f'said = f"{first}"', *(f'said += f"   {each}"' for each in others), f'print(f"{shown[0]}   {{said}}")']
    if recipe.epochs > MOST_LINES:
        lines += [f"if epoch == 1 or epoch % {recipe.epochs // 20} == 0:", *_indented(said)]
    else:
        lines += said
    if recipe.schedule == "plateau":
        lines += _plateau(facts)
    if "validation" in facts.parts:
        lines += _judge(facts)
    return lines


def _epoch_loss(facts: Facts) -> str:
    return "losses[-1]" if facts.whole else "total / len(x_train)"


def _plateau(facts: Facts) -> list[str]:
    judged = "validation_loss" if "validation" in facts.parts else _epoch_loss(facts)
    lowered = f"learning_rate * {facts.recipe.schedule_factor!r}"
    return [
        f"fell = {judged} < lowest * (1 - {PLATEAU_BETTER!r})",
        f"lowest, waited = ({judged}, 0) if fell else (lowest, waited + 1)",
        f"if waited > {facts.recipe.schedule_every}:  # the loss stands still: smaller steps from here",
        "    waited = 0",
        f"    if learning_rate - {lowered} > {PLATEAU_SMALLEST_DROP!r}:",
        f"        learning_rate *= {facts.recipe.schedule_factor!r}",
    ]


def _judge(facts: Facts) -> list[str]:
    lines = [
        "if validation_loss < best_loss:",
        "    best_loss, best_epoch = validation_loss, epoch",
        "    best = {name: value.clone() for name, value in model.state_dict().items()}",
    ]
    if facts.recipe.early_stopping is not None:
        lines += [f"elif epoch - best_epoch >= {facts.recipe.early_stopping}:", "    break"]
    return lines


def _to_device(facts: Facts) -> str:
    return "" if facts.recipe.device == "cpu" else f'.to("{facts.recipe.device}")'


def _shapes(facts: Facts) -> str:
    y = "(B,)" if _is_one_number_a_row(facts) else f"(B, {facts.outputs})"
    return f"  # data: (B, {', '.join(map(str, facts.feature_shape))}), {y}"


def _indented(lines: Sequence[str], times: int = 1) -> list[str]:
    return [f"{'    ' * times}{line}" if line else line for line in lines]
