"""Datasets and loaders: torch.utils.data.

A `Dataset` gives samples by index (`dataset`), a sampler the order (`sampler`), `default_collate` makes a batch of
samples (`collate`), and the `DataLoader` runs the three, in this process or in workers (`loader`).
"""

from rushlight.core.missing import missing
from rushlight.data.collate import default_collate, default_convert
from rushlight.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from rushlight.data.iterators import DatasetKind as _DatasetKind
from rushlight.data.loader import DataLoader
from rushlight.data.sampler import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from rushlight.data.worker_info import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]

# PyTorch's modules whose names are found in ours.
_INNER = {
    "dataloader": "rushlight.data.loader",
    "distributed": "rushlight.data.sampler",
    "_utils": "rushlight.data._utils",
}
__getattr__ = missing(__name__, _INNER)
