"""Which steps are looked at closely, so that watching stays under 3 % of the run."""

from collections.abc import Callable

FULL = 20  # the first steps, all in full detail
SHARE = 0.02  # of the run's time that may have gone into watching for another sample to be taken


def power_of_ten(step: int) -> int:
    """1, 10, 100 …: the largest that is not above ``step``."""
    return int(f"1{'0' * (len(str(step)) - 1)}")


def is_snapshot(step: int) -> bool:
    """Steps 1, 10, 100, 1,000 …"""
    return step == power_of_ten(step)


def is_recorded(step: int) -> bool:
    """Steps whose operations are told one by one: the first twenty, then 100, 1,000 …"""
    return step <= FULL or is_snapshot(step)


def next_candidate(step: int) -> int:
    """The first step after ``step`` that may be sampled."""
    if step < FULL:
        return step + 1
    stride = max(10, power_of_ten(step) // 10)
    return (step // stride + 1) * stride


def is_sampled(step: int, share: Callable[[], float]) -> bool:
    """The first twenty steps and 100, 1,000 … always; up to 90 of every tenfold while ``share()`` of the time is small."""
    if step <= FULL:
        return True
    tens = power_of_ten(step)
    return step == tens or (step % max(10, tens // 10) == 0 and share() < SHARE)
