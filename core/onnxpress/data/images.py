"""A folder of images as samples, decoded one at a time by Pillow, in sorted order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxpress.data.fitting import Chunk
from onnxpress.data.preprocessing import Preprocessing, layout_of
from onnxpress.errors import InvalidData, MissingDependency

if TYPE_CHECKING:
    from PIL.Image import Image

    from onnxpress.kinds import Array, Port

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def image_files(folder: Path) -> list[Path]:
    """The images in `folder` and its subfolders, sorted by path; hidden files are left out."""
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    visible = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


@dataclass(frozen=True)
class ImageReader:
    """Decodes images and brings them to the size of one input.

    Args:
        port: The input; its shape gives the channels and, where they are fixed, height and width.
        preprocessing: How to resize and crop.
    """

    port: Port
    preprocessing: Preprocessing

    def chunks(self, paths: Sequence[Path]) -> Iterator[Chunk]:
        """One chunk per image, ``[1,H,W,C]``, uint8."""
        for path in paths:
            yield Chunk({self.port.name: self.read(path)[np.newaxis]}, str(path))

    def read(self, path: Path) -> Array:
        """The pixels of one image, ``[H,W,C]``, uint8.

        Raises:
            InvalidData: The image is corrupt or too small to crop, or the input takes no images.
            MissingDependency: Pillow is not installed.
        """
        try:
            from PIL import Image, ImageOps
        except ImportError as error:
            raise MissingDependency("images need Pillow: pip install onnxpress[images]") from error
        height, width, channels = self._size()
        try:
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image).convert(_MODES[channels])
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InvalidData(f"cannot read image {path}: {error}") from error
        pixels = np.asarray(self._reshape(upright, (height, width), path))
        return pixels.reshape(*pixels.shape[:2], channels)

    def _size(self) -> tuple[int | None, int | None, int]:
        layout, shape = layout_of(self.port, self.preprocessing), self.port.shape or (None,) * 4
        sizes = (*shape[2:], shape[1]) if layout == "nchw" else shape[1:]
        height, width, channels = (size if isinstance(size, int) else None for size in sizes)
        if channels not in (None, *_MODES):
            raise InvalidData(f"input {self.port.name!r} has {channels} channels; images have 1, 3 or 4")
        return height, width, channels or 3

    def _reshape(self, image: Image, wanted: tuple[int | None, int | None], path: Path) -> Image:
        height, width = wanted
        model_size = (height, width) if height and width else None
        resize, crop = self.preprocessing.resize, self.preprocessing.crop
        if isinstance(resize, int):
            shorter = min(image.size)
            image = self._resize(image, tuple(round(side * resize / shorter) for side in reversed(image.size)))
        elif resize or (model_size and not crop):
            image = self._resize(image, resize or model_size or ())
        if crop or (isinstance(resize, int) and model_size):
            image = _crop(image, (crop, crop) if isinstance(crop, int) else crop or model_size or (), path)
        return image

    def _resize(self, image: Image, size: tuple[int, ...]) -> Image:
        from PIL.Image import Resampling

        height, width = size
        return image.resize((width, height), Resampling[self.preprocessing.interpolation.upper()])


def _crop(image: Image, size: tuple[int, ...], path: Path) -> Image:
    height, width = size
    if image.width < width or image.height < height:
        raise InvalidData(
            f"cannot crop {height} x {width} from image {path}, which has {image.height} x {image.width} pixels after "
            "resizing; resize to more"
        )
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
