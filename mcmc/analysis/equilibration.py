"""Is a run in equilibrium: a verdict with reasons, for the ensemble and for each network and temperature.

identities      A of the readout and one of the weights of each layer: zero on average over networks, at each
                temperature (equations.md, section 2)
log bins        the last half, the quarter before it and the eighth before that agree, on average and in each network
R-hat, nested   the real replicas of a network have the same law of the energy
ESS             enough effective draws that the two checks above could see anything
round trips     walkers carry independent starts from the hottest end to the coldest
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import f as fisher
from scipy.stats import norm, t

from mcmc.analysis.cells import log_bins, measured_cells, sizes_of_cells
from mcmc.analysis.estimate import Estimate, network_average
from mcmc.analysis.measured import identity_a, network_means, weight_identities
from mcmc.io.reader import RunData
from mcmc.io.schema import Key

FALSE_ALARM = 1e-3  # chance that a check alarms anywhere in a run that is in equilibrium
MIN_DRAWS = 20  # fewer cannot be cut into bins that say anything
MIN_NETWORKS = 4  # fewer know their error so badly that nothing could ever deviate
MIN_ESS = (
    50.0  # of a network: a run of 50 autocorrelation times, whose mean is known to a seventh of the thermal scatter
)
MIN_ROUND_TRIPS = 10.0  # of a ladder


@dataclass(frozen=True)
class Finding:
    """One check of the whole run.

    Attributes:
        check: name.
        ok:    passed.
        text:  the numbers behind it, in words.
        hard:  (D, K) bool, networks and temperatures that fail it; None for a check of averages over networks.
    """

    check: str
    ok: bool
    text: str
    hard: np.ndarray | None = None


@dataclass(frozen=True)
class Equilibration:
    """Verdict on a run.

    Attributes:
        verdict:  "yes", "no", or "unknown" where there is too little data to tell.
        findings: the checks; empty where unknown.
        reasons:  in words, the findings or what is missing.
        networks: (D,) numbers of the quenched draws.
        beta:     (K,)
        cells:    {name: (D, K)}: ess_energy, ess_overlap (effective draws of all replicas or pairs), tau_energy,
                  tau_overlap (integrated autocorrelation times in sweeps), r_hat, nested_r_hat; overlaps
                  are the slower of q^0 and q^L, averaged over pairs.
        round_trips: (D,) of the slowest ladder of each network, or None without exchange.
        not_recorded: checks that the files have no data for.
    """

    verdict: str
    findings: list[Finding]
    reasons: list[str]
    networks: np.ndarray
    beta: np.ndarray
    cells: dict[str, np.ndarray]
    round_trips: np.ndarray | None
    not_recorded: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object of `mlp-gibbs health --json`."""
        hard = {record["network"]: record["failed"] for record in self.hard_networks()}
        return {
            "equilibrated": self.verdict,
            "reasons": self.reasons,
            "checks": [{"check": f.check, "ok": bool(f.ok), "text": f.text} for f in self.findings],
            "not_recorded": list(self.not_recorded),
            "beta": self.beta.tolist(),
            "hard_networks": self.hard_networks(),
            "networks": [
                {
                    "network": int(number),
                    "ok": None if self.verdict == "unknown" else int(number) not in hard,
                    "round_trips": None if self.round_trips is None else int(self.round_trips[d]),
                    **{name: values[d].tolist() for name, values in self.cells.items()},
                }
                for d, number in enumerate(self.networks)
            ],
        }

    def hard_networks(self) -> list[dict[str, Any]]:
        """Networks that fail a check of their own, with the checks and the temperatures; none is ever dropped."""
        hard = []
        for d, number in enumerate(self.networks):
            failed = {
                finding.check: self.beta[finding.hard[d]].tolist()
                for finding in self.findings
                if finding.hard is not None and finding.hard[d].any()
            }
            if failed:
                hard.append({"network": int(number), "failed": failed})
        return hard


def equilibration(data: RunData) -> Equilibration:
    """The verdict on the complete segments of a run: "yes" only if every check passes in every network.

    Raises:
        InsufficientMemoryError: the series of two cells do not fit (see `blocks`).
    """
    n_draws, n_networks = data.n_draws, data.n_networks
    networks = data.config.model.first_network + np.arange(n_networks)
    if n_draws < MIN_DRAWS or n_networks < MIN_NETWORKS:
        reason = f"needs {MIN_DRAWS} draws and {MIN_NETWORKS} networks, found {n_draws} draws of {n_networks} networks"
        reason += ": set model.n_networks higher" if n_networks < MIN_NETWORKS else ": run longer"
        return Equilibration("unknown", [], [reason], networks, data.beta, {}, None)
    measured = measured_cells(data)
    cells = sizes_of_cells(data, measured)
    findings = [_average_bins(data, measured)]
    if data.config.output.overlaps:
        findings.append(_identity(data))
    layers = weight_identities(data)
    if layers is not None:
        findings.append(_layers(layers, data.beta))
    rate = measured["rate"]
    findings += [_network_bins(data, measured), *_replicas(data, cells, rate), _effective_sizes(data, cells)]
    round_trips = None
    if data.config.tempering.exchange and len(data.beta) > 1:
        round_trips = data.arrays[Key.ROUND_TRIPS].sum(1).min(1)
        findings.append(_travel(data, round_trips))
    verdict = "yes" if all(finding.ok for finding in findings) else "no"
    reasons = [f"{'ok ' if finding.ok else 'BAD'} {finding.check}: {finding.text}" for finding in findings]
    missing = () if layers is not None else ("identities of the layers: this run recorded none",)
    return Equilibration(verdict, findings, reasons, networks, data.beta, cells, round_trips, missing)


def _average_bins(data: RunData, measured: dict[str, np.ndarray]) -> Finding:
    bins = {"energy": measured["bins_energy"]}
    if data.config.output.overlaps:
        bins |= {f"overlap {layer}": measured[f"bins_overlap_{layer}"] for layer in (0, data.config.model.depth)}
    differences, places = [], []
    for name, (half, *earlier) in bins.items():
        for part, label in zip(earlier, ("quarter", "eighth"), strict=True):
            differences += [network_average(column) for column in (half - part).T]
            places += [f"{name} in last half and {label} before, beta = {beta:.3g}" for beta in data.beta]
    return _averages("log bins, average", differences, places)


def _identity(data: RunData) -> Finding:
    return _averages("identity A", identity_a(network_means(data)), [f"beta = {beta:.3g}" for beta in data.beta])


def _layers(per_network: np.ndarray, beta: np.ndarray) -> Finding:
    differences, places = [], []
    for layer in range(per_network.shape[-1]):
        differences += [network_average(column) for column in per_network[..., layer].T]
        places += [f"weights of layer {layer + 1}, beta = {b:.3g}" for b in beta]
    return _averages("identities of the layers", differences, places)


def _averages(check: str, differences: list[Estimate], places: list[str]) -> Finding:
    """Are all of these averages over networks zero?"""
    n_sigma = float(norm.isf(0.5 * FALSE_ALARM / len(differences)))
    distances = [abs(estimate.n_sigma(0.0) or 0.0) for estimate in differences]
    worst = int(np.argmax(distances))
    return Finding(
        check,
        all(estimate.agrees(0.0, n_sigma=n_sigma) for estimate in differences),
        f"largest deviation {distances[worst]:.1f} sigma (allowed {differences[worst].bound(n_sigma):.1f}), "
        f"at {places[worst]}",
    )


def _network_bins(data: RunData, measured: dict[str, np.ndarray]) -> Finding:
    """Welch's comparison of two bins of a network, with effective draws in place of draws."""
    rate, mean, scatter = measured["rate"], measured["bin_mean"], measured["bin_variance"]
    n_draws = [len(part) for part in log_bins(np.arange(data.n_draws))]
    p_value = np.ones(rate.shape)
    earlier = range(1, len(n_draws))
    for place in earlier:
        both = (0, place)
        size = [np.maximum(rate * n_draws[i], 2.0) for i in both]
        variance = [scatter[i] / (n - 1) for i, n in zip(both, size, strict=True)]
        error = np.sqrt(sum(variance))
        distance = np.abs(mean[0] - mean[place])
        z = np.divide(distance, error, out=np.where(distance > 0, np.inf, 0.0), where=error > 0)
        freedom = error**4 / np.maximum(sum(v**2 / (n - 1) for v, n in zip(variance, size, strict=True)), 1e-300)
        p_value = np.minimum(p_value, 2 * t.sf(z, np.maximum(freedom, 1.0)))
    threshold = FALSE_ALARM / (len(earlier) * p_value.size)
    return _cell_finding(
        "log bins, each network",
        data,
        p_value,
        p_value < threshold,
        "smallest p-value {:.1g}",
        f"{threshold:.1g} or more",
    )


def _replicas(data: RunData, cells: dict[str, np.ndarray], rate: np.ndarray) -> list[Finding]:
    """R-hat^2 - 1 = F m/ESS for m chains of one law, F of Fisher's distribution: half chains, or replicas if nested.

    Args:
        rate: (D, K) effective draws of all replicas in a draw.
    """
    n_replicas = data.series(Key.ENERGY).shape[3]
    if n_replicas == 1:
        return [Finding("R-hat", False, "the run has a single replica: set tempering.n_replicas = 2 or more")]
    return [
        _of_one_law("R-hat", data, cells["r_hat"], rate, 2 * n_replicas),
        _of_one_law("nested R-hat", data, cells["nested_r_hat"], rate, n_replicas),
    ]


def _of_one_law(check: str, data: RunData, values: np.ndarray, rate: np.ndarray, n_chains: int) -> Finding:
    size = np.maximum(rate * data.n_draws, n_chains + 1.0)
    quantile = fisher.isf(FALSE_ALARM / (2 * size.size), n_chains - 1, size - n_chains)
    bound = np.sqrt(1 + quantile * n_chains / size)
    excess = np.nan_to_num(values / bound, nan=np.inf, posinf=np.inf)
    d, k = np.unravel_index(int(excess.argmax()), excess.shape)
    words = f"largest against its bound {values[d, k]:.3f}"
    return _cell_finding(check, data, excess, excess > 1, words, f"{bound[d, k]:.3f} or less", worst=np.argmax)


def _effective_sizes(data: RunData, cells: dict[str, np.ndarray]) -> Finding:
    """The slower of energy and overlap: in a network of several valleys the energy may forget long before q does.

    No test of a hypothesis: estimates of few hundred draws scatter by factors, and a short run may fail by chance.
    """
    sizes = {name.removeprefix("ess_"): size for name, size in cells.items() if name.startswith("ess_")}
    fewest = np.min(list(sizes.values()), axis=0)
    slowest = min(sizes, key=lambda name: sizes[name].min())
    words = f"fewest effective draws {{:.0f}}, of the {slowest}"
    return _cell_finding("ESS", data, fewest, fewest < MIN_ESS, words, f"{MIN_ESS:g} or more")


def _cell_finding(
    check: str,
    data: RunData,
    values: np.ndarray,
    hard: np.ndarray,
    words: str,
    wanted: str,
    *,
    worst: Callable[[np.ndarray], Any] = np.argmin,
) -> Finding:
    d, k = np.unravel_index(int(worst(values)), values.shape)
    text = (
        f"{words.format(values[d, k])} (wanted {wanted}), in network {data.config.model.first_network + d} at "
        f"beta = {data.beta[k]:.3g}"
    )
    if hard.any():
        text += f"; {int(hard.any(1).sum())} of {len(hard)} networks fail"
    return Finding(check, not hard.any(), text, hard)


def _travel(data: RunData, round_trips: np.ndarray) -> Finding:
    """At least 10 trips in every ladder, and one a walker: each brings the cold end a fresh independent start."""
    wanted = max(MIN_ROUND_TRIPS, float(len(data.beta)))
    slow = round_trips < wanted
    hard = np.zeros((len(round_trips), len(data.beta)), dtype=bool)
    hard[slow, -1] = True
    slowest = int(round_trips.argmin())
    text = (
        f"{round_trips[slowest]:.0f} in the slowest ladder, of network "
        f"{data.config.model.first_network + slowest} (wanted {wanted:g} or more)"
    )
    if slow.any():
        text += f"; {int(slow.sum())} of {len(slow)} networks fail"
    return Finding("round trips", not slow.any(), text, hard)
