"""The peers' side of `peers.py` and `ess.py`: HMC of BlackJAX, NumPyro and TFP, replica exchange of TFP, emcee.

Runs in a virtual environment of its own (`peers-requirements.txt`); imports nothing of this project. The problem comes
as an .npz file (weights_1 ... weights_L (D, N_l, N_{l-1}) already scaled, readout (D, N_L), betas (K,)); commands come
one JSON object a line on standard input, answers go the same way on standard output.

No peer knows the sphere, so the chains live in R^N_0 under exp(-beta H(sqrt(N_0) z/|z|) - |z|^2/2), whose direction
z/|z| has the law wanted. Everything is compiled once, batched over networks, temperatures and chains.
"""

import json
import sys
import time
from functools import partial

import blackjax
import emcee
import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.hmc import hmc as numpyro_hmc
from tensorflow_probability.substrates import jax as tfp

jax.config.update("jax_enable_x64", False)

PHI = {
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "erf": jax.scipy.special.erf,
    "relu": jax.nn.relu,
    "linear": lambda h: h,
}


class Problem:
    """Energies of D networks at K inverse temperatures, C chains each.

    Attributes:
        keeps_directions: z of every draw is returned beside the energy.
        weights: L arrays (D, N_l, N_{l-1}) that carry every factor of the model; readout: (D, N_L).
    """

    def __init__(self, path, activation, *, keeps_directions=False):
        self.keeps_directions = keeps_directions
        with np.load(path) as file:
            self.weights = [jnp.asarray(file[f"weights_{i + 1}"]) for i in range(len(file.files) - 2)]
            self.readout = jnp.asarray(file["readout"])
            self.betas = jnp.asarray(file["betas"])
        self.phi = PHI[activation]
        self.n_networks, _, self.n_inputs = self.weights[0].shape

    def energy(self, z, network_axis=0):
        """H of directions (..., N_0), one axis of which counts the networks: (...)."""
        z = jnp.moveaxis(z, network_axis, 0)
        shape = z.shape[:-1]
        x = z.reshape(shape[0], -1, self.n_inputs)
        a = x * jnp.sqrt(self.n_inputs) / jnp.linalg.norm(x, axis=-1, keepdims=True)
        for w in self.weights:
            a = self.phi(jnp.einsum("dcj,dij->dci", a, w))
        return jnp.moveaxis(jnp.einsum("dci,di->dc", a, self.readout).reshape(shape), 0, network_axis)

    def energy_of_one(self, weights, readout, z):
        """H of one direction (N_0,) in one network: what the peers that take one chain at a time are given."""
        a = z * jnp.sqrt(self.n_inputs) / jnp.linalg.norm(z)
        for w in weights:
            a = self.phi(w @ a)
        return a @ readout

    def record(self, energy, z):
        """What is kept of a draw."""
        return {"energy": energy, "direction": z} if self.keeps_directions else {"energy": energy}

    def start(self, n_chains: int, seed: int = 0):
        """(D, K, C, N_0) standard normals."""
        shape = (self.n_networks, len(self.betas), n_chains, self.n_inputs)
        return jax.random.normal(jax.random.PRNGKey(seed), shape)


def one_chain_sampler(make):
    """Batch a sampler of one chain over networks, temperatures and chains by vmap, and scan it over draws.

    `make(logp, step_size)` gives (init, step): `init(z)` a state, `step(key, state)` the next one, its log density and
    place.
    """

    def build(problem):
        def of_chain(weights, readout, beta, z, keys, step_size):
            init, step = make(lambda z: -beta * problem.energy_of_one(weights, readout, z) - 0.5 * z @ z, step_size)

            def one(state, key):
                state, logp, z = step(key, state)
                return state, problem.record(-(logp + 0.5 * z @ z) / beta, z)

            return jax.lax.scan(one, init(z), keys)[1]

        over_chains = jax.vmap(of_chain, in_axes=(None, None, None, 0, 0, None))
        over_betas = jax.vmap(over_chains, in_axes=(None, None, 0, 0, 0, None))
        return jax.vmap(over_betas, in_axes=(0, 0, None, 0, 0, None))

    return build


def blackjax_hmc(problem, n_leapfrog):
    """BlackJAX's HMC with identity mass matrix."""
    kernel = blackjax.hmc.build_kernel()

    def make(logp, step_size):
        def step(key, state):
            state, _ = kernel(key, state, logp, step_size, jnp.ones(problem.n_inputs), n_leapfrog)
            return state, state.logdensity, state.position

        return lambda z: blackjax.hmc.init(z, logp), step

    return one_chain_sampler(make)(problem)


def numpyro_hmc_sampler(problem, n_leapfrog):
    """NumPyro's functional HMC, adaptation off."""

    def make(logp, step_size):
        init_kernel, sample_kernel = numpyro_hmc(lambda z: -logp(z), algo="HMC")

        def init(z):
            return init_kernel(
                z,
                num_warmup=0,
                step_size=step_size,
                num_steps=n_leapfrog,
                trajectory_length=None,  # its default of 2 pi would set the step size to 2 pi / num_steps
                adapt_step_size=False,
                adapt_mass_matrix=False,
                rng_key=jax.random.PRNGKey(0),
            )

        def step(key, state):
            state = sample_kernel(state._replace(rng_key=key))
            return state, -state.potential_energy, state.z

        return init, step

    return one_chain_sampler(make)(problem)


def tfp_hmc(problem, n_leapfrog):
    """TFP's HamiltonianMonteCarlo, batched by shape."""

    def run(weights, readout, betas, z, keys, step_size):
        def logp(z):
            return -betas[None, :, None] * problem.energy(z) - 0.5 * (z * z).sum(-1)

        kernel = tfp.mcmc.HamiltonianMonteCarlo(logp, step_size=step_size, num_leapfrog_steps=n_leapfrog)

        def one(carry, key):
            z, results = kernel.one_step(*carry, seed=key)
            logp = results.accepted_results.target_log_prob
            return (z, results), problem.record(-(logp + 0.5 * (z * z).sum(-1)) / betas[None, :, None], z)

        _, record = jax.lax.scan(one, (z, kernel.bootstrap_results(z)), keys[0, 0, 0])
        return {name: jnp.moveaxis(values, 0, 3) for name, values in record.items()}

    return run


def tfp_replica_exchange(problem, n_leapfrog):
    """TFP's ReplicaExchangeMC over HMC: an exchange after every trajectory, step sizes ~ 1/sqrt(1 + beta)."""

    def run(weights, readout, betas, z, keys, step_size):
        scale = jnp.sqrt((1 + betas[-1]) / (1 + betas))[::-1, None, None, None]
        kernel = tfp.mcmc.ReplicaExchangeMC(
            target_log_prob_fn=None,
            tempered_log_prob_fn=lambda z: -problem.energy(z, z.ndim - 3),
            untempered_log_prob_fn=lambda z: -0.5 * (z * z).sum(-1),
            inverse_temperatures=betas[::-1],
            make_kernel_fn=lambda logp: tfp.mcmc.HamiltonianMonteCarlo(
                logp, step_size=step_size * scale, num_leapfrog_steps=n_leapfrog
            ),
            swap_proposal_fn=tfp.mcmc.even_odd_swap_proposal_fn(1.0),
        )

        def one(carry, key):
            z, results = kernel.one_step(*carry, seed=key)
            return (z, results), problem.record(problem.energy(z), z)

        _, record = jax.lax.scan(one, (z[:, 0], kernel.bootstrap_results(z[:, 0])), keys[0, 0, 0])
        return {name: jnp.moveaxis(values, 0, 2)[:, None] for name, values in record.items()}  # the coldest alone

    return run


SAMPLERS = {
    "blackjax": blackjax_hmc,
    "numpyro": numpyro_hmc_sampler,
    "tfp_hmc": tfp_hmc,
    "tfp_replica_exchange": tfp_replica_exchange,
}


class Peer:
    """One compiled sampler; every call starts from the same points, with other random numbers."""

    def __init__(self, problem, name, *, step_size, n_leapfrog, n_chains, n_draws):
        self.problem, self.step_size = problem, step_size
        self.keys_shape = (problem.n_networks, len(problem.betas), n_chains, n_draws)
        self.run = jax.jit(SAMPLERS[name](problem, n_leapfrog))
        self.z = problem.start(n_chains)
        self.key = jax.random.PRNGKey(1)

    def call(self, step_size=None):
        """Advance n_draws trajectories: seconds, and {"energy": (D, K, C, n_draws), "direction": (..., N_0)}."""
        self.key, key = jax.random.split(self.key)
        keys = jax.random.split(key, self.keys_shape)
        jax.block_until_ready(keys)
        start = time.perf_counter()
        problem, step_size = self.problem, step_size or self.step_size
        record = jax.block_until_ready(
            self.run(problem.weights, problem.readout, problem.betas, self.z, keys, step_size)
        )
        return time.perf_counter() - start, {name: np.asarray(values) for name, values in record.items()}


def emcee_run(problem, n_walkers, n_draws, rounds):
    """emcee's affine-invariant ensemble at the coldest temperature, one network after the other, a draw every `rounds`
    steps: seconds, record."""
    seconds, energies, chains = 0.0, [], []
    for network in range(problem.n_networks):
        weights = [w[network] for w in problem.weights]
        batched = jax.jit(jax.vmap(partial(problem.energy_of_one, weights, problem.readout[network])))
        beta = float(problem.betas[-1])

        def logp(z, batched=batched, beta=beta):
            return -beta * np.asarray(batched(z), dtype=np.float64) - 0.5 * (z * z).sum(-1)

        ensemble = emcee.EnsembleSampler(n_walkers, problem.n_inputs, logp, vectorize=True)
        start_point = np.random.default_rng(network).standard_normal((n_walkers, problem.n_inputs))
        ensemble.run_mcmc(start_point, 2)  # compiles
        ensemble.reset()
        start = time.perf_counter()
        ensemble.run_mcmc(start_point, n_draws, thin_by=rounds)
        seconds += time.perf_counter() - start
        chain = ensemble.get_chain()  # (n_draws, n_walkers, N_0)
        energies.append(np.stack([np.asarray(batched(z)) for z in chain], axis=-1))
        chains.append(np.moveaxis(chain, 0, 1))
    return seconds, {"energy": np.stack(energies)[:, None], "direction": np.stack(chains)[:, None]}


def main():
    problem, peers = None, {}
    for line in sys.stdin:
        command = json.loads(line)
        match command.pop("do"):
            case "problem":
                problem, peers = Problem(**command), {}
                answer = {}
            case "build":
                label = command.pop("label")
                peers[label] = Peer(problem, command.pop("sampler"), **command)
                answer = {"seconds": peers[label].call()[0]}
            case "call":
                seconds, record = peers[command["label"]].call(command.get("step_size"))
                answer = {"seconds": seconds}
                if "save" in command:
                    np.savez(command["save"], **record)
            case "emcee":
                seconds, record = emcee_run(problem, command["n_walkers"], command["n_draws"], command["rounds"])
                np.savez(command["save"], **record)
                answer = {"seconds": seconds}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
