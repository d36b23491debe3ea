"""The work of a study: items, each an ordinary resumable run over some of the networks of a cell."""

from dataclasses import dataclass

from mcmc.config import RunConfig
from mcmc.errors import ConfigError
from mcmc.study.settings import Settings, label


@dataclass(frozen=True)
class Cell:
    """One model at one size.

    Attributes:
        settings: what distinguishes it from other cells of its size: dotted configuration keys and their values.
        n_inputs: N_0.
        config:   the whole cell as one run; its items are blocks of the networks of this run.
        item_networks: networks in one item.
    """

    settings: Settings
    n_inputs: int
    config: RunConfig
    item_networks: int

    @property
    def name(self) -> str:
        """Of the cell, unique in its study: what the names of its items begin with."""
        return "_".join(part for part in (label(self.settings), f"n{self.n_inputs:04d}") if part)

    def check(self) -> None:
        """What is wrong with the cell beyond its configuration.

        Raises:
            ConfigError: its networks cannot be numbered.
        """
        last = self.config.model.first_network + self.config.model.n_networks
        if last > 2**31:
            raise ConfigError(f"{self.name}: networks are numbered below 2^31, found {last}. Lower first_network.")


@dataclass(frozen=True)
class StudyItem:
    """One idempotent piece of work.

    Attributes:
        name:     of its run directory: cell and first network.
        settings: of its cell.
        config:   the run.
        block:    number of the item in its cell, from 0.
    """

    name: str
    settings: Settings
    config: RunConfig
    block: int

    @property
    def n_inputs(self) -> int:
        """N_0."""
        return self.config.model.n_inputs


def cut_into_items(cell: Cell) -> list[StudyItem]:
    """Blocks of consecutive networks; together they are the networks of the cell's one big run, each once."""
    model = cell.config.model
    items = []
    for block, start in enumerate(range(0, model.n_networks, cell.item_networks)):
        first = model.first_network + start
        n_networks = min(cell.item_networks, model.n_networks - start)
        part = model.model_copy(update={"first_network": first, "n_networks": n_networks})
        config = cell.config.model_copy(update={"model": part})
        items.append(StudyItem(f"{cell.name}_net{first:06d}", cell.settings, config, block))
    return items
