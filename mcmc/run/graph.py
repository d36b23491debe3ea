"""Whole sweeps as CUDA graphs: recorded once, replayed with one launch each.

A graph replays the same operations at the same addresses, so whatever changes from sweep to sweep lies on the device at
an address of its own: the number of the sweep (the random streams read it there), the chains, the step sizes. What is
fixed while a graph is good for (the ladder, the networks, the parity of the exchange: one graph each) is named by the
caller; when it changes, the next call records anew. The chains are those of the unrecorded sweep, bit for bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from mcmc import native
from mcmc.config import RunConfig
from mcmc.errors import DeviceError
from mcmc.kernels.base import ChainState
from mcmc.observers.base import StepStatistics

Work = Callable[[], None]
STATISTICS = StepStatistics._fields[:-1]  # the last is a plain number, the same in every sweep


@dataclass(frozen=True)
class GraphChoice:
    """What a run file records about graphs.

    Attributes:
        asked:  `run.cuda_graphs`.
        reason: why they are not used; None if they are.
    """

    asked: str
    is_used: bool
    reason: str | None = None


def choose_graphs(config: RunConfig, device: torch.device) -> GraphChoice:
    """Whether sweeps are recorded on this device.

    Raises:
        DeviceError: they were asked for where they cannot be.
    """
    asked = config.run.cuda_graphs
    reason = None
    if asked == "off":
        reason = "off was asked for"
    elif device.type != "cuda":
        reason = f"graphs are for CUDA, and the device is {device}"
    elif native.backend_for(device) != "extension":
        reason = "the extension was built without CUDA kernels, and the plain-torch streams wait for the host"
    if asked == "on" and reason is not None:
        raise DeviceError(f'run.cuda_graphs = "on" cannot be: {reason}. Use "auto".')
    return GraphChoice(asked, reason is None, reason)


class Recorder(Protocol):
    """Turns work on the device into a call that repeats it."""

    failure: str | None

    def record(self, work: Work) -> Work:
        """Do the work once; return what does it again, the same operations at the same addresses."""
        ...


class CudaRecorder:
    """Records by stream capture; where that fails, says why and repeats the work as it stands.

    Attributes:
        failure: of the last capture that failed.
    """

    def __init__(self, device: torch.device):
        self.failure: str | None = None
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()  # of scratch memory, for graphs of which one runs at a time

    def record(self, work: Work) -> Work:
        now = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(now)
        with torch.cuda.stream(self._stream):
            work()  # compiles stages, fills caches, sets up cuBLAS: none of which a capture allows
        now.wait_stream(self._stream)
        if self.failure is not None:
            return work
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                work()
        except RuntimeError as error:
            self.failure = str(error).split("\n", maxsplit=1)[0]
            return work
        return graph.replay


class Recorded:
    """Work that is recorded at its first call and replayed by later ones.

    Attributes:
        depends_on: what the recording is good for; when one of these is another object, the next call records anew.
    """

    def __init__(self, work: Work, recorder: Recorder, depends_on: Callable[[], tuple[object, ...]]):
        self.depends_on = depends_on
        self._work, self._recorder = work, recorder
        self._recorded_for: tuple[object, ...] | None = None
        self._replay: Work | None = None

    def __call__(self) -> None:
        wanted, found = self.depends_on(), self._recorded_for
        if self._replay is None or found is None or any(a is not b for a, b in zip(wanted, found, strict=True)):
            self._replay = None  # a graph that is of no more use gives its memory back first
            self._recorded_for, self._replay = wanted, self._recorder.record(self._work)
        else:
            self._replay()


class RecordedSweep:
    """A sweep that leaves chains and statistics where it found them, one recording for each parity of the exchange.

    Attributes:
        chains:     of every block, at addresses that do not change; also put into the list that the sweep works on.
        number:     (1,) int64, of the sweep that comes next.
        statistics: of the last sweep.
    """

    def __init__(
        self,
        sweep: Callable[[Tensor, int], StepStatistics],
        chains: Callable[[], list[ChainState]],
        statistics: StepStatistics,
        recorder: Recorder,
        depends_on: Callable[[], tuple[object, ...]],
    ):
        """
        Args:
            sweep:      of (number, parity); replaces the entries of `chains()`.
            statistics: tensors to keep them in.
        """
        self.statistics, self.chains = statistics, [_copy_of(state) for state in chains()]
        self.number = torch.zeros(1, dtype=torch.int64, device=statistics.acceptance.device)
        self._sweep, self._chains_now = sweep, chains
        self._next = 0
        self._by_parity = [Recorded(partial(self._work, parity), recorder, depends_on) for parity in (0, 1)]

    def __call__(self, number: int) -> StepStatistics:
        """Sweep of that number."""
        chains = self._chains_now()
        for i, state in enumerate(chains):
            if state is not self.chains[i]:  # a checkpoint was loaded, or forces have changed
                _overwrite(self.chains[i], state)
                chains[i] = self.chains[i]
        if number != self._next:
            self.number.fill_(number)
        self._by_parity[number % 2]()
        self._next = number + 1
        return self.statistics

    def _work(self, parity: int) -> None:
        statistics = self._sweep(self.number, parity)
        chains = self._chains_now()
        for i, state in enumerate(chains):
            _overwrite(self.chains[i], state)
            chains[i] = self.chains[i]
        for name in STATISTICS:
            getattr(self.statistics, name).copy_(getattr(statistics, name))
        self.number += 1


def _copy_of(state: ChainState) -> ChainState:
    return ChainState(**{name: tensor.clone() for name, tensor in state.tensors().items()})


def _overwrite(kept: ChainState, state: ChainState) -> None:
    new = state.tensors()
    for name, tensor in kept.tensors().items():
        tensor.copy_(new[name])
