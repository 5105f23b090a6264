"""How networks compute: the order of their numbers in memory and, on a GPU, precision and
compilation.

A CPU computes in float32 and compiles nothing, so its numbers do not depend on the section
`acceleration`.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from l2l.config import AccelerationConfig

Network = TypeVar("Network", bound=nn.Module)
Function = Callable[..., tuple[Tensor, ...]]
"""Of tensors whose first axis is the batch, to such tensors."""
BACKEND = "inductor"  # of torch.compile
COMPILED_ON = ("cuda",)  # types of device


def autocast(bfloat16: bool) -> torch.autocast:
    """On a GPU: computes in bfloat16 what loses little by it, inside a `with` block."""
    return torch.autocast("cuda", torch.bfloat16, enabled=bfloat16 and torch.cuda.is_available())


def to_channels_last(network: Network, device: torch.device) -> Network:
    """Move a network to a device with its channels innermost in memory.

    Training is a quarter faster so, on CPUs and on GPUs with tensor cores. On a CPU a network with
    a very narrow shortcut keeps its layout, and so does what the shortcut is given; see
    `_breaks_onednn`.
    """
    narrow = [module for module in network.modules() if _breaks_onednn(module)]
    if device.type == "cpu" and narrow:
        for module in narrow:
            module.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
        return network.to(device)
    is_3d = any(isinstance(module, nn.Conv3d) for module in network.modules())
    layout = torch.channels_last_3d if is_3d else torch.channels_last
    return network.to(device, memory_format=layout)  # type: ignore[call-overload]


def _breaks_onednn(module: nn.Module) -> bool:
    """Whether the gradient of a layer, with channels innermost, ends the process.

    oneDNN (in torch 2.11) writes past its buffer in the backward pass of a strided 1 x 1
    convolution of fewer than 8 channels, which only networks of tests are as narrow as. Found by
    trying: 4, 5 and 7 channels end in "double free or corruption", 8 and more are right.
    """
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < 8
    )


def for_training(
    network: Network, device: torch.device, acceleration: AccelerationConfig
) -> Network:
    """Move a network to a device to be trained there, compiled in place if that is asked for.

    It is compiled once per size of a batch: of all batches, and of an epoch's last one.
    """
    network = to_channels_last(network, device)
    if _compiles(device, acceleration):
        network.compile(backend=BACKEND, mode=acceleration.compile, dynamic=False)
    return network


class Inference:
    """A function of tensors without gradients, as a device computes it; what it gives is float32.

    Compiled, it is compiled once, for batches of one size: smaller ones are filled up with zeros,
    and what these give is dropped.

    Args:
        function: computed; a network on the device, or one that calls it.
        device: of its inputs.
        acceleration: precision and compilation, on a GPU.
        batch_size: most entries per call.
    """

    def __init__(
        self,
        function: Function,
        device: torch.device,
        acceleration: AccelerationConfig,
        batch_size: int,
    ) -> None:
        self._function, self._batch_size = function, batch_size
        self._bfloat16 = acceleration.bfloat16
        self._compiled = _compiles(device, acceleration)
        if self._compiled:
            self._function = torch.compile(
                function, backend=BACKEND, mode=acceleration.compile, dynamic=False
            )

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What the function gives for a batch, (batch, ...) each."""
        with torch.inference_mode(), autocast(self._bfloat16):
            if not self._compiled:
                return tuple(x.float() for x in self._function(*inputs))
            count = len(inputs[0])
            outputs = self._function(*(_filled_up(x, self._batch_size) for x in inputs))
            # copied: CUDA graphs write the next batch's results to the same place
            return tuple(x[:count].to(torch.float32, copy=True) for x in outputs)


def _compiles(device: torch.device, acceleration: AccelerationConfig) -> bool:
    return acceleration.compile != "none" and device.type in COMPILED_ON


def _filled_up(x: Tensor, size: int) -> Tensor:
    """A copy of a batch with zeros behind it, up to a size, in the same order in memory.

    A full batch is copied too: a tensor that was made outside of inference mode is another kind of
    input, for which all would be compiled again.
    """
    filled = x.new_empty_strided((size, *x.shape[1:]), (x[0].numel(), *x.stride()[1:])).zero_()
    filled[: len(x)] = x
    return filled
