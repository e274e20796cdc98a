"""Two ways of doing the same work, in turn, each in a process of its own, and what that cost."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROUNDS = int(os.environ.get("BRODMANN_PERF_ROUNDS", "3"))
THREADS = int(os.environ.get("BRODMANN_PERF_THREADS", "2"))
DEVICE = os.environ.get("BRODMANN_PERF_DEVICE", "cpu")
"""``cuda`` runs brodmann's and himalaya's side on a graphics card; only the children touch it."""


@dataclass(frozen=True)
class Work:
    """One row of the table.

    Attributes
    ----------
    name, peer_name : str
    make : callable
        -> the data, seeded; made again in every process, before the clock starts.
    ours, peer : callable
        data -> answer, an array.
    floor : callable or None
        data -> anything; the products that no exact method avoids, at this machine's rate.
    goal : float
        Least ratio of the peer's time to ours.
    share : float
        The part of the whole work that `peer` does (one fold of five: 0.2); its time is divided by it.
    agreement : callable
        (our answer, the peer's) -> largest difference.
    """

    name: str
    peer_name: str
    make: Callable[[], Any]
    ours: Callable[[Any], Any]
    peer: Callable[[Any], Any]
    goal: float
    floor: Callable[[Any], Any] | None = None
    share: float = 1.0
    agreement: Callable[[Any, Any], float] = field(
        default=lambda a, b: float(np.abs(np.asarray(a) - np.asarray(b)).max())
    )


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds, bytes above what the data already held (of the card, on a card), and its answer."""

    seconds: float
    extra_bytes: int
    answer: Any


@dataclass(frozen=True)
class Row:
    """A finished comparison: medians over the rounds."""

    work: Work
    ours: float
    peer: float
    floor: float
    ours_bytes: int
    peer_bytes: int
    difference: float
    spread: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Peer / brodmann."""
        return self.peer / self.ours

    def line(self) -> str:
        """The row as Markdown."""
        part = "" if self.work.share == 1 else f" ({self.work.share:.3g} of the work, extrapolated)"
        over = "-" if np.isnan(self.floor) else f"{self.ours / self.floor:.1f}"
        cells = [
            self.work.name,
            self.work.peer_name + part,
            f"{self.ours:.3g}",
            f"{self.peer:.3g}",
            f"**{self.ratio:.1f}** ({self.spread[0]:.1f}-{self.spread[1]:.1f})",
            f"{self.work.goal:g}",
            f"{self.difference:.1e}",
            f"{self.ours_bytes / 2**20:.0f}",
            f"{self.peer_bytes / 2**20:.0f}",
            over,
        ]
        return "| " + " | ".join(cells) + " |"


HEADER = (
    "| work | peer | brodmann, s | peer, s | peer / brodmann (range) | goal | difference | brodmann, MiB | peer, MiB | "
    "brodmann / floor |\n|" + " --- |" * 10
)


def alone(make: Callable[[], Any], work: Callable[[Any], Any]) -> Cost:
    """Run one piece of work in a new process, on the same number of threads each time."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(send, make, work))
    process.start()
    send.close()
    try:
        cost: Cost = receive.recv()
    except EOFError:
        raise RuntimeError("the process ended without an answer: see its error above") from None
    process.join()
    return cost


def _child(send: Any, make: Callable[[], Any], work: Callable[[Any], Any]) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(THREADS)
    with threadpool_limits(THREADS):
        data = make()
        on_card = DEVICE.startswith("cuda")
        if on_card:  # what starting a card and its first product take is no part of the work
            torch.ones(8, 8, device=DEVICE).mm(torch.ones(8, 8, device=DEVICE)).sum().item()
            torch.cuda.reset_peak_memory_stats(DEVICE)
        Path("/proc/self/clear_refs").write_text("5")  # forget the highest memory so far
        before = memory("VmRSS")
        began = time.perf_counter()
        answer = work(data)
        if on_card:
            torch.cuda.synchronize(DEVICE)
        seconds = time.perf_counter() - began
        extra = torch.cuda.max_memory_allocated(DEVICE) if on_card else memory("VmHWM") - before
        send.send(Cost(seconds, extra, answer))


def memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(name))
    return int(line.split()[1]) * 1024


def compare(work: Work, rounds: int = ROUNDS) -> Row:
    """Run both sides in turn, `rounds` times each."""
    ours, peer, floor = [], [], []
    for _ in range(rounds):
        ours.append(alone(work.make, work.ours))
        peer.append(alone(work.make, work.peer))
        if work.floor is not None:
            floor.append(alone(work.make, work.floor).seconds)
    peer_seconds = [cost.seconds / work.share for cost in peer]
    ratios = [b / a.seconds for a, b in zip(ours, peer_seconds, strict=True)]
    return Row(
        work,
        statistics.median(cost.seconds for cost in ours),
        statistics.median(peer_seconds),
        statistics.median(floor) if floor else float("nan"),
        max(cost.extra_bytes for cost in ours),
        max(cost.extra_bytes for cost in peer),
        work.agreement(ours[-1].answer, peer[-1].answer),
        (min(ratios), max(ratios)),
    )
