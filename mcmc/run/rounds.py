"""The burn-in schedule: rounds of doubling length, each ending with a better ladder, the last one frozen in the ladder.

After a round the ladder is moved to equal rejection rates [Syed et al. 2021]; step sizes adapt in every round, and in
the last round only over its first half, so that production begins with chains that have settled at frozen settings.
"""

from dataclasses import dataclass

SHORTEST_ROUND = 20  # sweeps; fewer give rejection rates too noisy to move a ladder by


@dataclass(frozen=True)
class Round:
    """Burn-in sweeps start..stop - 1.

    Attributes:
        tune_stop: first sweep without step-size adaptation.
        is_last:   the ladder stays as it is after this round.
    """

    start: int
    stop: int
    tune_stop: int
    is_last: bool

    def counts(self, sweep: int) -> bool:
        """True if the step size of this sweep belongs to the average that is frozen: the later half of tuning."""
        return 2 * (sweep - self.start) >= self.tune_stop - self.start


def burn_in_rounds(n_burn_in: int) -> list[Round]:
    """Rounds of length about n/2^k, ..., n/4, n/2 that fill the burn-in."""
    if n_burn_in == 0:
        return []
    lengths: list[int] = []
    left = n_burn_in
    while left >= 4 * SHORTEST_ROUND and len(lengths) < 6:
        lengths.append((left + 1) // 2)
        left -= lengths[-1]
    lengths.append(left)
    stops = []
    total = 0
    for length in reversed(lengths):
        total += length
        stops.append(total)
    starts = [0, *stops[:-1]]
    last = len(stops) - 1
    return [
        Round(start, stop, stop if i < last else start + (stop - start + 1) // 2, i == last)
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]
