"""The source run by PyTorch itself, under the names of the converted model: what a conversion is compared with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from onnxpress.errors import InvalidData
from onnxpress.kinds import Port
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.pytorch.captured import Captured
from onnxpress_frontends.pytorch.evaluating import evaluating
from onnxpress_frontends.pytorch.open_sizes import named_sizes, rename
from onnxpress_frontends.torch_import import import_torch, quiet

if TYPE_CHECKING:
    import torch

    from onnxpress.kinds import Array, Feeds


class TorchReference:
    """A captured source as a `Runner`: the module itself, or the exported program where there is no module.

    What ``forward`` writes into buffers goes into copies, so every run starts from the module as it is.

    Args:
        source: The source, with the names the user knows.
    """

    def __init__(self, source: Captured) -> None:
        self._source = source
        with quiet():
            self._module = source.module or source.program.module()
        inputs, outputs = ({name: _port(name, tensor) for name, tensor in ends.items()} for ends in source.ports())
        names = named_sizes({name: port.shape or () for name, port in inputs.items()}, source.open_axes)
        self.inputs, self.outputs = (
            tuple(replace(port, shape=tuple(rename(name, port.shape or (), names))) for name, port in ends.items())
            for ends in (inputs, outputs)
        )

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Outputs by name for one batch of inputs by name.

        Raises:
            InvalidData: An input is missing or unknown, or PyTorch cannot run on these feeds.
        """
        torch = import_torch()
        names = [port.name for port in self.inputs]
        if sorted(feeds) != sorted(names):
            raise InvalidData(f"{self._source.title!r} takes inputs {names}, not {sorted(feeds)}")
        device = next((each.device for each in self._module.parameters()), torch.device("cpu"))
        buffers = {name: buffer.clone() for name, buffer in self._module.named_buffers(remove_duplicate=False)}
        try:
            tensors = {name: torch.as_tensor(array).to(device) for name, array in feeds.items()}
            with evaluating(self._module):
                returned = torch.func.functional_call(self._module, buffers, *self._source.arguments(tensors))
        except Exception as error:  # whatever the module raises
            raise InvalidData(f"PyTorch cannot run {self._source.title!r}: {first_line(error)}") from error
        return {name: tensor.numpy(force=True) for name, tensor in self._source.results(returned).items()}


def _port(name: str, tensor: torch.Tensor) -> Port:
    sizes = tuple(size if isinstance(size, int) else str(size) for size in tensor.shape)
    return Port(name=name, dtype=str(tensor.dtype).removeprefix("torch."), shape=sizes)
