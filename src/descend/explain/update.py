"""The arithmetic of an update with its numbers put in: plain descent, momentum, Adam, AdamW, RMSprop, Adagrad.

One entry of one parameter, in float64. Formulas are those of ``torch.optim`` (SGD, Adam: Kingma and Ba 2015; AdamW: Loshchilov and
Hutter 2019).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descend.explain.formulas.words import MINUS, bracketed, equal, number, plus, times

Memory = Mapping[str, float]
"""What the optimizer remembers of this entry, by the names that a snapshot has for it."""


@dataclass(frozen=True, slots=True)
class Update:
    """How one entry changed: the formula, a line for each part of it with its numbers, and the new value."""

    rule: str
    lines: tuple[str, ...]
    new: float


def update(kind: str, settings: Mapping[str, Any], old: float, gradient: float, memory: Memory) -> Update | None:
    """The new value of an entry; None for an optimizer that is not known here. ``kind``: its class, "" for plain descent by hand."""
    lr = float(settings.get("lr", math.nan))
    if settings.get("maximize"):
        gradient = -gradient
    if kind in ("", "SGD"):
        return _descent(settings, lr, old, gradient, memory)
    if kind in ("Adam", "AdamW") and not settings.get("amsgrad"):
        return _adam(kind, settings, lr, old, gradient, memory)
    if kind == "RMSprop" and not settings.get("centered"):
        return _rmsprop(settings, lr, old, gradient, memory)
    if kind == "Adagrad" and not settings.get("lr_decay"):
        return _adagrad(settings, lr, old, gradient, memory)
    return None


def moved(old: float, new: float) -> tuple[str, str]:
    """Both with as many digits as it takes to see the change; four significant ones at least."""
    change = abs(new - old)
    if not math.isfinite(change) or not 1e-4 <= max(abs(old), abs(new)) < 1e6:
        return number(old), number(new)
    decimals = 3 if change == 0 else min(12, max(3, 3 - int(f"{change:.2e}".partition("e")[2])))
    return _with_decimals(old, decimals), _with_decimals(new, decimals)


def _with_decimals(value: float, decimals: int) -> str:
    """With at least so many decimals, unless fewer say it exactly."""
    usual = number(value)
    if "e" in usual or math.isclose(float(usual.replace(",", "").replace(MINUS, "-")), value, rel_tol=1e-7):
        return usual
    own = 3 - math.floor(math.log10(abs(value)))
    text = f"{value:,.{max(decimals, own)}f}"
    short = text.rstrip("0")
    exact = math.isclose(float(short.replace(",", "")), value, rel_tol=1e-9) and not short.endswith(".")
    return (short if exact else text).replace("-", MINUS)


def _decayed(settings: Mapping[str, Any], old: float, gradient: float, lines: list[str]) -> float:
    decay = float(settings.get("weight_decay") or 0.0)
    if not decay:
        return gradient
    found = gradient + decay * old
    lines.append(f"g ← g + λ·θ = {number(gradient)}{plus(times(decay, old))} = {number(found)}")
    return found


def _descent(settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    gradient = _decayed(settings, old, gradient, lines)
    momentum = float(settings.get("momentum") or 0.0)
    if momentum:
        before = _first(memory, "momentum_buffer", "velocity")
        kept = 1 - float(settings.get("dampening") or 0.0)
        velocity = gradient if before is None else momentum * before + kept * gradient
        said = number(gradient) if before is None else f"{times(momentum, before)}{plus(times(kept, gradient))}"
        rule = "g" if before is None else "μ·v + g" if kept == 1 else "μ·v + (1−d)·g"
        lines.append(f"v ← {equal(f'{rule} = {said}', velocity) if said != number(velocity) else f'{rule} = {said}'}")
        if settings.get("nesterov"):
            lines.append(
                f"g ← g + μ·v = {number(gradient)}{plus(times(momentum, velocity))} = {number(gradient + momentum * velocity)}"
            )
            gradient += momentum * velocity
        else:
            gradient = velocity
    new = old - lr * gradient
    direction = "g" if not momentum or settings.get("nesterov") else "v"
    shown, after = moved(old, new)
    lines.append(f"θ ← θ − lr·{direction} = {shown} − {times(lr, gradient)} = {after}")
    return Update(f"θ ← θ − lr·{direction}", tuple(lines), new)


def _adam(kind: str, settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    beta1, beta2 = _two(settings.get("betas"), (0.9, 0.999))
    epsilon = float(settings.get("eps", 1e-8))
    if kind == "AdamW":
        decay = float(settings.get("weight_decay") or 0.0)
        if decay:
            shrunk = old - lr * decay * old
            before, after = moved(old, shrunk)
            lines.append(f"θ ← θ − lr·λ·θ = {before} − {times(lr, decay, old)} = {after}")
            old = shrunk
    else:
        gradient = _decayed(settings, old, gradient, lines)
    step = int(_first(memory, "step", "steps") or 0) + 1
    m, v = _first(memory, "exp_avg", "mean") or 0.0, _first(memory, "exp_avg_sq", "square") or 0.0
    mean, square = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    lines.append(f"m ← β₁·m + (1−β₁)·g = {times(beta1, m)}{plus(times(_rest(beta1), gradient))} = {number(mean)}")
    lines.append(
        f"v ← β₂·v + (1−β₂)·g² = {times(beta2, v)} + {number(_rest(beta2))}·{bracketed(gradient)}² = {number(square)}"
    )
    corrected, spread = mean / (1 - beta1**step), square / (1 - beta2**step)
    lines.append(f"m̂ = m/(1−β₁ᵗ) = {number(mean)}/(1 − {number(beta1)}^{step}) = {number(corrected)}")
    lines.append(f"v̂ = v/(1−β₂ᵗ) = {number(square)}/(1 − {number(beta2)}^{step}) = {number(spread)}")
    new = old - lr * corrected / (math.sqrt(spread) + epsilon)
    before, after = moved(old, new)
    lines.append(
        f"θ ← θ − lr·m̂/(√v̂ + ε) = {before} − {times(lr, corrected)}/(√{number(spread)} + {number(epsilon)}) = {after}"
    )
    return Update("θ ← θ − lr·m̂/(√v̂ + ε)", tuple(lines), new)


def _rmsprop(settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    gradient = _decayed(settings, old, gradient, lines)
    alpha, epsilon = float(settings.get("alpha", 0.99)), float(settings.get("eps", 1e-8))
    v = memory.get("square_avg", 0.0)
    square = alpha * v + (1 - alpha) * gradient**2
    lines.append(
        f"v ← α·v + (1−α)·g² = {times(alpha, v)} + {number(_rest(alpha))}·{bracketed(gradient)}² = {number(square)}"
    )
    change = gradient / (math.sqrt(square) + epsilon)
    momentum = float(settings.get("momentum") or 0.0)
    if momentum:
        before = memory.get("momentum_buffer", 0.0)
        kept = momentum * before
        lines.append(
            f"b ← μ·b + g/(√v + ε) = {times(momentum, before)}{plus(number(change))} = {number(kept + change)}"
        )
        change += kept
    new = old - lr * change
    direction = "b" if momentum else "g/(√v + ε)"
    shown, after = moved(old, new)
    lines.append(f"θ ← θ − lr·{direction} = {shown} − {times(lr, change)} = {after}")
    return Update(f"θ ← θ − lr·{direction}", tuple(lines), new)


def _adagrad(settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    gradient = _decayed(settings, old, gradient, lines)
    before = memory.get("sum", 0.0)
    total = before + gradient**2
    lines.append(f"s ← s + g² = {number(before)} + {bracketed(gradient)}² = {number(total)}")
    epsilon = float(settings.get("eps", 1e-10))
    new = old - lr * gradient / (math.sqrt(total) + epsilon)
    shown, after = moved(old, new)
    lines.append(
        f"θ ← θ − lr·g/(√s + ε) = {shown} − {times(lr, gradient)}/(√{number(total)} + {number(epsilon)}) = {after}"
    )
    return Update("θ ← θ − lr·g/(√s + ε)", tuple(lines), new)


def _rest(share: float) -> float:
    """1 − share, for showing: without the rounding of float64 that would be shown as idle zeros."""
    return round(1 - share, 12)


def _first(memory: Memory, *names: str) -> float | None:
    return next((memory[name] for name in names if name in memory), None)


def _two(value: object, usual: tuple[float, float]) -> tuple[float, float]:
    if isinstance(value, Sequence) and len(value) == 2:
        return float(value[0]), float(value[1])
    return usual
