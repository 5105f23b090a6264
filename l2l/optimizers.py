"""torch's optimizers without torch's compiler.

The first call of an optimizer imports `torch._dynamo`, to keep the compiler out of it: 4 s of CPU
time in every training. Nothing is compiled here, so what is called is what they wrap.
"""

import inspect
from typing import TypeVar

import torch

Optimizer = TypeVar("Optimizer", bound=torch.optim.Optimizer)
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def without_compiler(kind: type[Optimizer]) -> type[Optimizer]:
    """The same optimizer, to the last bit, which does not import the compiler."""
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
