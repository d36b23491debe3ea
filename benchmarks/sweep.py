"""How fast the production sweep is, against the matrix products of the same shapes and against the naive loop.

One JSON line: gradient evaluations x chains per second of the whole sampler (trajectory, Metropolis test, exchange),
the fraction of the rate that bare batched matrix products of the same shapes reach in the same process, and the speed
over a loop over temperatures with autograd, in interleaved runs.

    python benchmarks/sweep.py --n-inputs 256 --networks 16 --temperatures 16 --replicas 2
    MLP_GIBBS_SIMD=portable python benchmarks/sweep.py --threads 1      # without the compiled kernels
"""

import math
from itertools import pairwise

import torch
from cases import case_of, case_parser, config_of, simulation_of
from timing import interleaved, rate, report

from mcmc.run.simulation import Simulation


def main() -> None:
    parser = case_parser(__doc__, networks=16, replicas=2)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config = config_of(**case_of(arguments))
    simulation = simulation_of(config, torch.device("cpu"))
    n_chains = arguments.networks * arguments.temperatures * arguments.replicas
    gradients = n_chains * arguments.n_leapfrog
    seconds = interleaved(
        {
            "sampler": simulation.advance,
            "matrix_products": matrix_products(simulation, arguments.n_leapfrog),
            "naive": naive_sweep(simulation, arguments.n_leapfrog),
        },
        repetitions=arguments.repetitions,
    )
    sampler, ceiling = rate(gradients, seconds["sampler"]), rate(gradients, seconds["matrix_products"])
    naive = rate(gradients, seconds["naive"])
    flops = 4 * sum(a * b for a, b in pairwise(config.model.widths))
    report(
        {
            "benchmark": "sweep",
            **{name: value for name, value in vars(arguments).items() if name not in ("repetitions", "threads")},
            "chain_gradients_per_s": sampler,
            "flops_per_s": sampler["median"] * flops,
            "matrix_product_flops_per_s": ceiling["median"] * flops,
            "fraction_of_matrix_products": sampler["median"] / ceiling["median"],
            "speedup_over_naive_loop": sampler["median"] / naive["median"],
        }
    )


def matrix_products(simulation: Simulation, n_leapfrog: int):
    """The forward and backward products of every layer, bare, as often as the sampler needs them."""
    weights = simulation.system.networks.weights
    n_networks, n_temperatures, n_replicas = simulation.shape
    chains = n_temperatures * n_replicas
    inputs = [torch.randn(n_networks, chains, w.shape[2]) for w in weights]
    outputs = [torch.randn(n_networks, chains, w.shape[1]) for w in weights]

    def call() -> None:
        for _ in range(n_leapfrog):
            for w, a, delta in zip(weights, inputs, outputs, strict=True):
                torch.bmm(a, w.mT)
                torch.bmm(delta, w)

    return call


def naive_sweep(simulation: Simulation, n_leapfrog: int):
    """One HMC trajectory as one writes it first: a Python loop over temperatures, autograd for the force.

    Networks and replicas are batched, which is kinder to it than the loop over networks that is usual.
    """
    net = simulation.system.networks
    n_networks, n_temperatures, n_replicas = simulation.shape
    n_sites = simulation.system.n_sites
    radius, eps = math.sqrt(n_sites), 0.1
    x_of = [
        simulation.system.manifold.random_point(torch.randn(n_networks, n_replicas, n_sites))
        for _ in range(n_temperatures)
    ]

    def energy(x: torch.Tensor) -> torch.Tensor:
        a = x
        for w in net.weights:
            a = net.activation.phi(a @ w.mT)
        return (a * net.readout.unsqueeze(1)).sum(-1)

    def force(x: torch.Tensor, beta: float) -> torch.Tensor:
        x = x.detach().requires_grad_()
        (grad,) = torch.autograd.grad(beta * energy(x).sum(), x)
        return grad - x.detach() * (grad * x.detach()).sum(-1, keepdim=True) / n_sites

    def call() -> None:
        for k, beta in enumerate(simulation.ladder.betas):
            x = x_of[k]
            p = torch.randn_like(x)
            p = p - x * (p * x).sum(-1, keepdim=True) / n_sites
            start = beta * energy(x) + 0.5 * (p * p).sum(-1)
            y, p = x, p - 0.5 * eps * force(x, beta)
            for i in range(n_leapfrog):
                w = p.norm(dim=-1, keepdim=True) / radius
                y, p = (
                    y * torch.cos(w * eps) + p / w * torch.sin(w * eps),
                    p * torch.cos(w * eps) - y * w * torch.sin(w * eps),
                )
                p = p - (eps if i < n_leapfrog - 1 else 0.5 * eps) * force(y, beta)
            end = beta * energy(y) + 0.5 * (p * p).sum(-1)
            accepted = torch.rand_like(start) < torch.exp(start - end)
            x_of[k] = torch.where(accepted.unsqueeze(-1), y, x)

    return call


if __name__ == "__main__":
    main()
