"""A recorder for the CPU that is as strict as a CUDA graph: operations at fixed addresses, numbers of Python frozen."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map


class _Tape(TorchDispatchMode):
    """Notes every operation, with its arguments as they are, while it is done."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing: the host asks for a number")
        result = function(*args, **(kwargs or {}))
        self.operations.append((function, args, kwargs or {}, result))
        return result

    def replay(self) -> None:
        """Do it all again: what one operation made goes where the next took it, all else is read where it lies."""
        made: dict[int, object] = {}

        def now(value):
            return made.get(id(value), value) if isinstance(value, Tensor) else value

        for function, args, kwargs, result in self.operations:
            again = function(*tree_map(now, args), **tree_map(now, kwargs))
            old, new = torch.utils._pytree.tree_leaves(result), torch.utils._pytree.tree_leaves(again)
            made |= {id(a): b for a, b in zip(old, new, strict=True) if isinstance(a, Tensor)}


class TapeRecorder:
    """Records by doing.

    Attributes:
        n_recorded, n_replayed: recordings made, and replays of all of them.
    """

    failure = None

    def __init__(self):
        self.n_recorded = self.n_replayed = 0

    def record(self, work):
        tape = _Tape()
        with tape:
            work()
        self.n_recorded += 1

        def replay():
            self.n_replayed += 1
            tape.replay()

        return replay
