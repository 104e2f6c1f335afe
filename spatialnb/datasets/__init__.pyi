from .catalogue import Edition as Edition
from .catalogue import edition as edition
from .catalogue import editions as editions
from .dataset import Dataset as Dataset
from .dataset import Split as Split
from .loading import load as load
from .root import cache_root as cache_root
from .root import data_root as data_root
from .status import Status as Status
from .status import check as check

__all__ = [
    "Dataset",
    "Edition",
    "Split",
    "Status",
    "cache_root",
    "check",
    "data_root",
    "edition",
    "editions",
    "load",
]
