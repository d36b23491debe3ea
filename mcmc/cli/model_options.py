"""Options that several commands share: numbers for one or all layers, and parameters of the activation."""

from mcmc.errors import UsageError


def one_or_all(values: list[float] | None, default: float) -> float | list[float]:
    """A single number stands for every layer; none given, the default does."""
    if not values:
        return default
    return values[0] if len(values) == 1 else values


def parse_assignments(option: str, assignments: list[str] | None) -> dict[str, float]:
    """{"name": number} from ["name=number", ...].

    Raises:
        UsageError: one of them is not of that form.
    """
    parameters = {}
    for assignment in assignments or []:
        name, _, value = assignment.partition("=")
        try:
            parameters[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"{option} expects NAME=NUMBER, found '{assignment}'.") from None
    return parameters
