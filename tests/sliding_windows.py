"""Windows for convolutions and poolings, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """Attributes of a window of one to three axes, and sizes that it fits into."""
    rank = draw(st.integers(1, 3))
    small = st.integers(1, 3)
    strides, kernel = (draw(st.lists(small, min_size=rank, max_size=rank)) for _ in range(2))
    dilations = draw(st.sampled_from([[1] * rank, [2] * rank, list(range(1, rank + 1))]))
    auto = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations}
    if auto.startswith("SAME"):  # onnxruntime forgets the dilation here, and pads short windows by less than nothing
        attributes["dilations"] = dilations = [1] * rank
        kernel = [max(pair) for pair in zip(kernel, strides, strict=True)]
    if auto == "NOTSET":
        attributes["pads"] = [draw(st.integers(0, size - 1)) for size in kernel * 2]
    else:
        attributes["auto_pad"] = auto
    more = draw(st.lists(st.integers(0, 6), min_size=rank, max_size=rank))
    sizes = [(k - 1) * d + 1 + extra for k, d, extra in zip(kernel, dilations, more, strict=True)]
    return {"kernel": kernel, "sizes": sizes, "attributes": attributes}
