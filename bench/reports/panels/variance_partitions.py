"""What several feature spaces explain, alone and together."""

import pandas as pd

from ....analysis.encoding.banded import VariancePartition
from ..collect import Comparison
from ..panel import Panel, panel
from ..variance_figure import variance_partition_figure


@panel(
    "variance",
    title="Variance partition",
    order=110,
    sentence="Explained variance of feature spaces, unique and shared.",
    needs="partitions",
)
def variance(comparison: Comparison) -> list[Panel]:
    """One a stored partition."""
    return [_of_partition(name, one) for name, one in comparison.partitions.items()]


def _of_partition(name: str, partition: VariancePartition) -> Panel:
    spaces = partition.names
    parts = {f"unique {space}": values for space, values in zip(spaces, partition.unique, strict=True)}
    parts |= {f"Shapley {space}": values for space, values in zip(spaces, partition.shapley, strict=True)}
    table = pd.DataFrame(parts | {"shared": partition.shared, "all": partition.full})
    return Panel(
        table,
        lambda style: variance_partition_figure(partition, title=name),
        name=f"variance-{name}",
        title=f"Variance partition {name}",
        alt=f"Explained variance of {len(spaces)} spaces ({', '.join(spaces)}), unique and shared.",
        n=f"{partition.n_stimuli} stimuli, {len(table)} neuroids",
    )
