"""Tensors that other tools saved with torch, without running what else such a file may carry."""

from __future__ import annotations

import pickle
import shlex
from pathlib import Path

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.features.layouts.common import feature_shape


def load_tensor(path: Path) -> np.ndarray:
    """The tensor [N, D] of a .pt file, memory-mapped where its format allows it. Only plain tensors are loaded.

    Raises:
        InputError: a pickle of something else, or not a tensor of that shape.
    """
    import torch

    try:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file of torch before 1.6, which cannot be mapped
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        convert = (
            'python -c "import sys, torch; p = sys.argv[1]; x = torch.load(p, weights_only=False); '
            'torch.save(torch.as_tensor(x), p)" ' + shlex.quote(str(path))
        )
        problem = "it holds a pickle (a NumPy array, perhaps), not a plain tensor; loading one can run any program"
        raise InputError(path, problem, f"if you trust where it came from, convert it once: {convert}") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise InputError(path, f"cannot be read as a tensor: {error}", "extract or copy it again") from error
    if not isinstance(content, torch.Tensor):
        raise InputError(
            path, f"it holds a {type(content).__name__}, expected one tensor [N, D]", "save the tensor alone"
        )
    content = content.detach().reshape(feature_shape(path, content.shape))
    if content.dtype == torch.bfloat16:  # which NumPy has not
        content = content.float()
    return content.numpy()
