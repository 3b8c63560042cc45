"""What AMCT's configuration says of one layer.

The activation's words are ``act_algo``, ``num_bits``, ``asymmetric`` and the options of the algorithm, which are those
of our observers of the same name; the weight's are ``wts_algo``, ``num_bits`` and ``channel_wise``.  Every word is
read, or refused by name: other numbers of bits, AdaRound, clustered weights (NUQ) and the DMQ balancer would give other
integers than those that we can give.  Source: ``common/config/field.py`` of ``hicann/amct``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from onnxpress.errors import InvalidRecipe

OPTIONS: Mapping[str, Mapping[str, float]] = {
    "ifmr": {
        "max_percentile": 0.999999,
        "min_percentile": 0.999999,
        "search_range_start": 0.7,
        "search_range_end": 1.3,
        "search_step": 0.01,
    },
    "hfmg": {"num_of_bins": 4096},
}
"""The options of each algorithm for activations, and what they are when nothing is said."""

_ACTIVATION = ("act_algo", "num_bits", "asymmetric", *(name for options in OPTIONS.values() for name in options))
_CLUSTERING = ("num_steps", "num_of_iteration", "nuq_config", "nuq_quantize", "mapping_file")
_ROUNDING = ("num_iteration", "reg_param", "beta_range", "warm_start")
_WEIGHT = ("wts_algo", "num_bits", "channel_wise", *_CLUSTERING, *_ROUNDING)


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """How a layer is quantised.

    Attributes:
        observer: ``ifmr`` or ``hfmg``.
        options: Options of the observer that are not what they usually are.
        asymmetric: Whether the activation has an offset; None when that is said elsewhere.
        channel_wise: Whether the weight has one scale per output channel; None: as suits the operator.
    """

    observer: str = "ifmr"
    options: tuple[tuple[str, float], ...] = ()
    asymmetric: bool | None = None
    channel_wise: bool | None = None


def layer_settings(
    activation: Mapping[str, Any], weight: Mapping[str, Any], balancer: object, where: str
) -> LayerSettings:
    """The settings that a layer is given.

    Args:
        activation: Its words for the activation.
        weight: Its words for the weight.
        balancer: The strength of the DMQ balancer; None when it is off.
        where: What an error names.

    Raises:
        InvalidRecipe: A word is unknown, has no sense, or asks for what is not done.
    """
    if balancer is not None:
        raise refused(where, "the DMQ balancer (dmq_balancer)", "apply the record that AMCT made with it, or remove it")
    known(activation, _ACTIVATION, f"{where}, activation")
    known(weight, _WEIGHT, f"{where}, weight")
    for what, words in (("activation", activation), ("weight", weight)):
        if words.get("num_bits", 8) != 8:
            raise refused(where, f"{what} num_bits {words['num_bits']!r}", "integers have 8 bits")
    _check_weight_algorithm(weight, where)
    algorithm = _algorithm(activation, where)
    usual = OPTIONS[algorithm]
    return LayerSettings(
        observer=algorithm,
        options=tuple((name, activation[name]) for name in usual if activation.get(name, usual[name]) != usual[name]),
        asymmetric=truth(activation, "asymmetric", where),
        channel_wise=truth(weight, "channel_wise", where),
    )


def truth(words: Mapping[str, Any], name: str, where: str) -> bool | None:
    """A word that is true or false, None when it is not said.

    Raises:
        InvalidRecipe: It is something else.
    """
    value = words.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidRecipe(f"{where}: {name} must be true or false, not {value!r}")
    return value


def known(given: Iterable[str], names: Iterable[str], where: str) -> None:
    """See that every word is one of `names`.

    Raises:
        InvalidRecipe: One is not; the message gives the nearest that is.
    """
    names = list(names)
    for word in given:
        if word not in names:
            near = difflib.get_close_matches(word, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise InvalidRecipe(f"{where}: unknown key {word!r}; {hint}")


def refused(where: str, what: str, instead: str) -> InvalidRecipe:
    """The error for what would change the result and is not done."""
    return InvalidRecipe(f"{where} asks for {what}, which is not done; {instead}")


def _algorithm(activation: Mapping[str, Any], where: str) -> str:
    """The algorithm that is named, or whose options are given."""
    named = activation.get("act_algo")
    if named not in (None, *OPTIONS):
        raise InvalidRecipe(f"{where}: act_algo must be {' or '.join(OPTIONS)}, not {named!r}")
    meant = [name for name, options in OPTIONS.items() if named == name or options.keys() & activation.keys()]
    if len(meant) > 1:
        raise InvalidRecipe(f"{where} has words of both ifmr and hfmg; remove those of one")
    return meant[0] if meant else "ifmr"


def _check_weight_algorithm(weight: Mapping[str, Any], where: str) -> None:
    algorithm = weight.get("wts_algo", "arq_quantize")
    if algorithm != "arq_quantize":
        raise refused(where, f"wts_algo {algorithm!r}", "use arq_quantize")
    for name in (*_CLUSTERING, *_ROUNDING):
        if name in weight:
            raise refused(where, f"{name!r}", "it is for another algorithm than arq_quantize")
