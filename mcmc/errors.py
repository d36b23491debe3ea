"""The error tree: every message says what was expected, what was found and what to try.

The numbers of the message are attributes too, so that a caller can act on them:
`except ConvergenceError as error: error.residual`.
"""

from typing import Any


class MlpGibbsError(Exception):
    """Base of every error that this package raises on purpose.

    Attributes:
        exit_code: status of the command line when the error ends it (1: failed; 2: wrong usage).
    """

    exit_code = 1

    def __init__(self, message: str, **numbers: Any):
        super().__init__(message)
        self.__dict__.update(numbers)


class UsageError(MlpGibbsError):
    """The request itself is wrong: a bad option, key or value."""

    exit_code = 2


class ConfigError(UsageError):
    """A run configuration that cannot be run; the message lists every problem at once."""


class DeviceError(UsageError):
    """A device was asked for that is not there."""


class NonFiniteEnergyError(MlpGibbsError):
    """An energy is NaN or infinite: names the network, chain, step and beta."""


class ConvergenceError(MlpGibbsError):
    """A solver of the replica theory stopped before its residual reached the tolerance."""


class QuadratureError(ConvergenceError):
    """A Gaussian average does not exist or could not be resolved to the tolerance asked for."""


class RunDirectoryError(MlpGibbsError):
    """A run directory does not hold what was expected of it."""


class CheckpointError(RunDirectoryError):
    """No checkpoint generation is intact."""


class SegmentError(RunDirectoryError):
    """A results file is missing, truncated or altered."""


class StorageError(MlpGibbsError):
    """The file system refused a write; nothing that was complete before has been lost."""


class InsufficientDataError(MlpGibbsError):
    """Too few networks, samples or segments for the number that was asked for."""


class InsufficientMemoryError(MlpGibbsError):
    """The smallest piece of a computation does not fit in the free memory."""


class DisagreementError(MlpGibbsError):
    """Independent estimates of one number differ by more than their errors; `disagreements` says where."""


class EngineError(MlpGibbsError):
    """The engine that should run the items of a study cannot be reached, or does not start workers."""


class StudyError(MlpGibbsError):
    """Items of a study failed; `failed` says which and why. The others are finished."""
