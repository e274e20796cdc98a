"""A study that nobody here can run, on paper: eight subjects of NSD and fifty layers on 1, 8 and 64 cards.

python tests/performance/scale.py        the table of docs/scale.md
"""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Machine:
    """Rates, measured on one H200 with 16 cores (docs/scale.md) unless said; bytes and pictures a second."""

    decoded: float = 861
    forward: float = 7434
    to_host: float = 55e9
    checksum: float = 4 * 3.7e9
    disk: float = 4.4e9
    network: float = 2.5e9
    """Assumed, not measured: 25 GbE, of all machines together from one store."""
    fit: float = 8.5
    """Seconds of a prototype: n 9000, p 25 088, 40 000 targets, 5 x 5 folds, 20 penalties."""
    start: float = 20
    """Assumed: imports, CUDA and a model's weights, once a worker."""
    cards: int = 8
    """A machine's; its processor decodes for all of them."""


@dataclass(frozen=True)
class Study:
    """What is asked for."""

    subjects: int = 8
    layers: int = 50
    n: int = 9000
    pictures: int = 73_000
    units: int = 25_088
    uncertainty: float = 2.0
    """Permutations and bootstraps, each as long as the fit itself at the most (the goal, not a measurement)."""

    @property
    def stored(self) -> float:
        """Bytes of all layers, in single precision."""
        return 4.0 * self.pictures * self.units * self.layers

    @property
    def read(self) -> float:
        """Bytes that all fits together read."""
        return 4.0 * self.n * self.units * self.layers * self.subjects


@dataclass(frozen=True)
class Cost:
    """Seconds of each part of a plan."""

    start: float
    decoding: float
    extracting: float
    moving: float
    fitting: float

    @property
    def whole(self) -> float:
        """Extraction hides the shorter of decoding and the rest; fits wait for what they read."""
        return self.start + max(self.decoding, self.extracting) + max(self.moving, self.fitting)

    @property
    def longest(self) -> str:
        """The part that the plan waits for longest."""
        parts = {
            name: getattr(self, name) for name in ("start", "decoding", "extracting", "moving", "fitting")
        }
        return max(parts, key=parts.__getitem__)


def one_model_a_worker(study: Study, machine: Machine, cards: int) -> Cost:
    """All fifty layers belong to one model, so one card does them all: what the other cards wait for."""
    del cards
    extracting = study.pictures / machine.forward + study.stored / min(machine.disk, machine.checksum)
    fits = study.subjects * study.layers * machine.fit * (1 + study.uncertainty)
    return Cost(machine.start, study.pictures / machine.decoded, extracting, study.read / machine.disk, fits)


def _fits(study: Study, machine: Machine, cards: int) -> float:
    rounds = ceil(study.subjects * study.layers / cards)
    return rounds * machine.fit * (1 + study.uncertainty)


def through_a_store(study: Study, machine: Machine, cards: int) -> Cost:
    """One machine extracts to a shared store; every card takes a subject's layer at a time from it."""
    machines = ceil(cards / machine.cards)
    out = machine.disk if machines == 1 else machine.network
    extracting = max(study.pictures / machine.forward, study.stored / min(out, machine.checksum))
    decoding = study.pictures / machine.decoded
    return Cost(machine.start, decoding, extracting, study.read / out, _fits(study, machine, cards))


def where_it_is_used(study: Study, machine: Machine, cards: int) -> Cost:
    """Every card extracts the layers it fits: no layer leaves it, but each machine decodes all pictures."""
    decoding = study.pictures / machine.decoded
    return Cost(machine.start, decoding, study.pictures / machine.forward, 0.0, _fits(study, machine, cards))


def subject_by_machine(study: Study, machine: Machine, cards: int) -> Cost:
    """The same, and a machine decodes only the pictures of the subjects that it fits."""
    machines = ceil(cards / machine.cards)
    share = max(1 / machines, 1 / study.subjects)
    decoding = share * study.pictures / machine.decoded
    extracting = share * study.pictures / machine.forward
    return Cost(machine.start, decoding, extracting, 0.0, _fits(study, machine, cards))


PLANS = {
    "a model a worker": one_model_a_worker,
    "layers through a shared store": through_a_store,
    "layers made where they are used": where_it_is_used,
    "the same, subjects by machine": subject_by_machine,
}
CARDS = (1, 8, 64)


def table(study: Study | None = None, machine: Machine | None = None) -> str:
    """Minutes of each plan, and what it waits for, as Markdown."""
    study, machine = study or Study(), machine or Machine()
    lines = ["| plan | " + " | ".join(f"{n} card{'s' * (n > 1)}" for n in CARDS) + " |", "|" + " --- |" * 4]
    for name, plan in PLANS.items():
        costs = [plan(study, machine, n) for n in CARDS]
        lines.append(
            f"| {name} | " + " | ".join(f"{c.whole / 60:.3g} min, {c.longest}" for c in costs) + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
