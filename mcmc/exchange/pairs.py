"""Which neighbours are compared in which sweep."""


def deo_pairs(n_temperatures: int, parity: int) -> list[tuple[int, int]]:
    """Neighbouring pairs of temperatures of one parity: (parity, parity + 1), (parity + 2, parity + 3), ...

    Alternating parity 0, 1, 0, 1, ... deterministically (DEO) makes the walk along the ladder non-reversible: a round
    trip takes O(K) sweeps instead of the O(K^2) of randomly chosen parities [Syed, Bouchard-Côté, Deligiannidis &
    Doucet, J. R. Stat. Soc. B 84 (2022) 321].
    """
    if parity not in (0, 1):
        raise ValueError(f"parity must be 0 or 1, found {parity}")
    if n_temperatures < 1:
        raise ValueError(f"n_temperatures must be at least 1, found {n_temperatures}")
    return [(i, i + 1) for i in range(parity, n_temperatures - 1, 2)]
