"""k-step and full replica symmetry breaking at finite width ratios, any depth (equations.md, section 10)."""

from mcmc.theory.rsb.classify import Classification, classify
from mcmc.theory.rsb.full import solve_full
from mcmc.theory.rsb.grids import RsbGrid
from mcmc.theory.rsb.k_step import solve_at, solve_k_step
from mcmc.theory.rsb.transitions import at_beta, dynamic_beta, find_transitions, static_beta

__all__ = [
    "Classification",
    "RsbGrid",
    "at_beta",
    "classify",
    "dynamic_beta",
    "find_transitions",
    "solve_at",
    "solve_full",
    "solve_k_step",
    "static_beta",
]
