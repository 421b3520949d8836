"""Every collector there is."""

from descend.watch.facts.data import Data
from descend.watch.facts.features import Features
from descend.watch.facts.finite import Finite
from descend.watch.facts.layouts import Layouts
from descend.watch.facts.loaders import Loaders
from descend.watch.facts.losses import Losses
from descend.watch.facts.modules import Modules
from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.motion import Motion
from descend.watch.facts.optimizers import Optimizers
from descend.watch.facts.order import Order
from descend.watch.facts.pace import Pace
from descend.watch.facts.precision import Precision
from descend.watch.facts.recurrence import Recurrence
from descend.watch.facts.schedulers import Schedulers
from descend.watch.facts.units import Units


def all_collectors(tell: Telling) -> list[Collector]:
    """A new one of each, for one watched program."""
    return [kind(tell) for kind in COLLECTORS]


COLLECTORS: tuple[type[Collector], ...] = (
    Optimizers,
    Order,
    Modules,
    Schedulers,
    Loaders,
    Layouts,
    Data,
    Features,
    Finite,
    Losses,
    Motion,
    Pace,
    Precision,
    Recurrence,
    Units,
)
