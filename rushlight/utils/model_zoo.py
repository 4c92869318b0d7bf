"""torch.utils.model_zoo: the old path of torch.hub's downloads."""

from rushlight.core.missing import missing
from rushlight.hub import load_state_dict_from_url

load_url = load_state_dict_from_url

__all__ = ["load_state_dict_from_url", "load_url"]

__getattr__ = missing(__name__)
