"""The arithmetic of an update with its numbers put in: plain descent, momentum, Adam, AdamW, RMSprop, Adagrad.

One entry of one parameter, in float64. Formulas are those of ``torch.optim`` (SGD, Adam: Kingma and Ba 2015; AdamW: Loshchilov and
Hutter 2019).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descend.explain.formulas.words import MINUS, bracketed, number, plus, times

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
    decimals = 0 if change == 0 else max(0, 3 - math.floor(math.log10(change)))
    return _to(old, min(decimals, 12)), _to(new, min(decimals, 12))


def _to(value: float, decimals: int) -> str:
    """With so many decimals at most, and no fewer than ``number`` would give."""
    usual = number(value)
    if "e" in usual or value == int(value):
        return usual
    text = f"{value:,.{decimals}f}".replace("-", MINUS)
    return text if len(text) > len(usual) and number(float(f"{value:.4g}")) != number(value) else usual


def _decayed(settings: Mapping[str, Any], old: float, gradient: float, lines: list[str]) -> float:
    decay = float(settings.get("weight_decay") or 0.0)
    if not decay:
        return gradient
    found = gradient + decay * old
    lines.append(f"g ← g + λ·θ = {number(gradient)} + {times(decay, old)} = {number(found)}")
    return found


def _descent(settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    gradient = _decayed(settings, old, gradient, lines)
    momentum = float(settings.get("momentum") or 0.0)
    if momentum:
        before = _first(memory, "momentum_buffer", "velocity")
        kept = 1 - float(settings.get("dampening") or 0.0)
        velocity = gradient if before is None else momentum * before + kept * gradient
        said = number(gradient) if before is None else f"{times(momentum, before)} + {times(kept, gradient)}"
        lines.append(f"v ← {'g' if before is None else 'μ·v + g'} = {said} = {number(velocity)}")
        if settings.get("nesterov"):
            lines.append(
                f"g ← g + μ·v = {number(gradient)} + {times(momentum, velocity)} = {number(gradient + momentum * velocity)}"
            )
            gradient += momentum * velocity
        else:
            gradient = velocity
    new = old - lr * gradient
    direction = "g" if not momentum or settings.get("nesterov") else "v"
    lines.append(f"θ ← θ − lr·{direction} = {number(old)} − {number(lr)}·{bracketed(gradient)} = {number(new)}")
    return Update(f"θ ← θ − lr·{direction}", tuple(lines), new)


def _adam(kind: str, settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    beta1, beta2 = _two(settings.get("betas"), (0.9, 0.999))
    epsilon = float(settings.get("eps", 1e-8))
    if kind == "AdamW":
        decay = float(settings.get("weight_decay") or 0.0)
        if decay:
            lines.append(f"θ ← θ − lr·λ·θ = {number(old)} − {times(lr, decay, old)} = {number(old - lr * decay * old)}")
            old -= lr * decay * old
    else:
        gradient = _decayed(settings, old, gradient, lines)
    step = int(_first(memory, "step", "steps") or 0) + 1
    m, v = _first(memory, "exp_avg", "mean") or 0.0, _first(memory, "exp_avg_sq", "square") or 0.0
    mean, square = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    lines.append(f"m ← β₁·m + (1−β₁)·g = {times(beta1, m)} + {times(1 - beta1, gradient)} = {number(mean)}")
    lines.append(
        f"v ← β₂·v + (1−β₂)·g² = {times(beta2, v)} + {number(1 - beta2)}·{bracketed(gradient)}² = {number(square)}"
    )
    corrected, spread = mean / (1 - beta1**step), square / (1 - beta2**step)
    lines.append(f"m̂ = m/(1−β₁ᵗ) = {number(mean)}/(1 − {number(beta1)}^{step}) = {number(corrected)}")
    lines.append(f"v̂ = v/(1−β₂ᵗ) = {number(square)}/(1 − {number(beta2)}^{step}) = {number(spread)}")
    new = old - lr * corrected / (math.sqrt(spread) + epsilon)
    lines.append(
        f"θ ← θ − lr·m̂/(√v̂ + ε) = {number(old)} − {number(lr)}·{bracketed(corrected)}/(√{number(spread)} + {number(epsilon)})"
        f" = {number(new)}"
    )
    return Update("θ ← θ − lr·m̂/(√v̂ + ε)", tuple(lines), new)


def _rmsprop(settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    gradient = _decayed(settings, old, gradient, lines)
    alpha, epsilon = float(settings.get("alpha", 0.99)), float(settings.get("eps", 1e-8))
    v = memory.get("square_avg", 0.0)
    square = alpha * v + (1 - alpha) * gradient**2
    lines.append(
        f"v ← α·v + (1−α)·g² = {times(alpha, v)} + {number(1 - alpha)}·{bracketed(gradient)}² = {number(square)}"
    )
    change = gradient / (math.sqrt(square) + epsilon)
    momentum = float(settings.get("momentum") or 0.0)
    if momentum:
        before = memory.get("momentum_buffer", 0.0)
        lines.append(
            f"b ← μ·b + g/(√v + ε) = {times(momentum, before)} + {number(change)} = {number(momentum * before + change)}"
        )
        change += momentum * before
    new = old - lr * change
    lines.append(
        f"θ ← θ − lr·{'b' if momentum else 'g/(√v + ε)'} = {number(old)} − {times(lr, change)} = {number(new)}"
    )
    return Update("θ ← θ − lr·g/(√v + ε)", tuple(lines), new)


def _adagrad(settings: Mapping[str, Any], lr: float, old: float, gradient: float, memory: Memory) -> Update:
    lines: list[str] = []
    gradient = _decayed(settings, old, gradient, lines)
    before = memory.get("sum", 0.0)
    total = before + gradient**2
    lines.append(f"s ← s + g² = {number(before)} + {bracketed(gradient)}² = {number(total)}")
    new = old - lr * gradient / (math.sqrt(total) + float(settings.get("eps", 1e-10)))
    lines.append(
        f"θ ← θ − lr·g/(√s + ε) = {minus(old, lr * gradient / math.sqrt(total) if total else 0.0)} = {number(new)}"
    )
    return Update("θ ← θ − lr·g/(√s + ε)", tuple(lines), new)


def _first(memory: Memory, *names: str) -> float | None:
    return next((memory[name] for name in names if name in memory), None)


def _two(value: object, usual: tuple[float, float]) -> tuple[float, float]:
    if isinstance(value, Sequence) and len(value) == 2:
        return float(value[0]), float(value[1])
    return usual
