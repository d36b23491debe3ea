"""Networks with explicit weights, from which the chain of layers follows by integrating them out: its second origin.

The same Sigma_l and z^l.z^l/N as `ancestral`, but from drawn W and b: N^2 random numbers a layer instead of N.
"""

import torch

from mcmc.errors import UsageError
from mcmc.systems.layers.ancestral import LayerSamples
from mcmc.systems.layers.chain import LayerChain
from mcmc.systems.mlp.networks import Networks


def explicit_samples(chain: LayerChain, seed: int) -> LayerSamples:
    """Inputs of the right scalar products through one drawn network for each id of the chain.

    Raises:
        UsageError: no inputs give the first covariance, which is smaller than that of the biases.
    """
    inputs = explicit_inputs(chain)
    sigmas, grams = [], []
    for place in range(len(chain.ids)):  # one network at a time: its weights are L N^2 numbers
        net = Networks.draw(
            (chain.width,) * (chain.depth + 1),
            chain.activation,
            ids=chain.ids[place : place + 1],
            seed=seed,
            sigma_w=chain.sigma_w,
            sigma_b=chain.sigma_b,
        )
        a, sigma, gram = inputs, [], []
        for w, b in zip(net.weights, net.biases, strict=True):
            sigma.append(chain.next_covariance(a))
            z = a @ w[0].mT + (0 if b is None else b[0])
            gram.append(z @ z.mT / chain.width)
            a = chain.activation.phi(z)
        sigmas.append(torch.stack(sigma))
        grams.append(torch.stack(gram))
    return LayerSamples(torch.stack(sigmas), torch.stack(grams))


def explicit_inputs(chain: LayerChain) -> torch.Tensor:
    """(n, N) inputs x with sigma_b^2 + sigma_w^2 x_a.x_b/N = Sigma_1."""
    products = (chain.first - chain.sigma_b**2) / chain.sigma_w**2 * chain.width
    factor, info = torch.linalg.cholesky_ex(products)
    if info or chain.n_inputs > chain.width:
        raise UsageError(
            f"no inputs have Sigma_1 = {chain.first.tolist()}: expected at most N = {chain.width} of them, and "
            f"Sigma_1 - sigma_b^2 = Sigma_1 - {chain.sigma_b**2:g} positive definite. Use a larger first variance."
        )
    inputs = chain.first.new_zeros(chain.n_inputs, chain.width)
    inputs[:, : chain.n_inputs] = factor
    return inputs
