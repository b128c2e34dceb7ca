"""Tensors that other tools saved with torch, without running what else such a file may carry."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from scangen_bundle.bags.layouts.common import feature_shape
from scangen_bundle.bags.layouts.pickled import SAVE_ALONE, described, is_torch_file, refusal
from scangen_bundle.bags.reading import DAMAGE, REMEDY
from scangen_bundle.errors import InputError


def load_tensor(path: Path) -> np.ndarray:
    """The tensor [N, D] of a .pt file, memory-mapped where its format allows it. Only plain tensors are loaded.

    Raises:
        InputError: damaged, no file of torch.save, a pickle of something else, or not a tensor of that shape.
    """
    import torch

    if not is_torch_file(path):
        raise refusal(path)
    try:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file of torch before 1.6, which cannot be mapped
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise refusal(path) from error
    except DAMAGE as error:
        raise InputError(path, f"cannot be read as a tensor: {error}", REMEDY) from error
    if not isinstance(content, torch.Tensor):
        raise InputError(path, f"it holds {described(content)}, expected one tensor [N, D]", SAVE_ALONE)
    content = content.detach().reshape(feature_shape(path, content.shape))
    if content.dtype not in (torch.float16, torch.float32, torch.float64) and content.is_floating_point():
        content = content.float()  # NumPy has no bfloat16 and no float8
    return content.numpy()
