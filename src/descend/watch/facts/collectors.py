"""Every collector there is."""

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.optimizers import Optimizers
from descend.watch.facts.order import Order


def all_collectors(tell: Telling) -> list[Collector]:
    """A new one of each, for one watched program."""
    return [kind(tell) for kind in COLLECTORS]


COLLECTORS: tuple[type[Collector], ...] = (Optimizers, Order)
