"""The arithmetic of sizes is that of the numbers they stand for."""

from __future__ import annotations

from collections import Counter
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from onnxpress_plugins.cleaning.symbolic_sizes import ONE, Size

SIZES = st.builds(
    lambda number, symbols: Size(number, Counter(symbols) if number else Counter()),
    st.integers(-6, 6),
    st.lists(st.sampled_from("NMK"), max_size=3),
)
RUNS = st.fixed_dictionaries({name: st.integers(0, 4) for name in "NMK"})


def value(size: Size, run: dict[str, int]) -> int:
    return size.number * prod(run[str(symbol)] for symbol in size.symbols.elements())


@given(SIZES, SIZES, RUNS)
def test_a_product_stands_for_the_product(one: Size, other: Size, run: dict[str, int]) -> None:
    assert value(one * other, run) == value(one, run) * value(other, run)
    assert one * other == other * one


@given(SIZES, SIZES, RUNS)
def test_a_quotient_times_the_divisor_is_the_dividend(one: Size, other: Size, run: dict[str, int]) -> None:
    quotient = one.over(other)
    assert quotient is None or value(quotient, run) * value(other, run) == value(one, run)


@given(SIZES, SIZES)
def test_a_product_can_be_divided_by_its_factors(one: Size, other: Size) -> None:
    if other.number != 0 and one.number != 0:
        assert (one * other).over(other) == one


@given(SIZES, SIZES, RUNS)
def test_what_vanishes_with_another_does(one: Size, other: Size, run: dict[str, int]) -> None:
    if one.vanishes_with(other) and value(one, run) == 0:
        assert value(other, run) == 0


def test_symbols_are_equal_only_to_themselves() -> None:
    n, m, unnamed = Size.of("N"), Size.of("M"), Size.of(("N", 0))
    assert n != m and n != unnamed and n * m != n * n
    assert (n * m).over(n) == m and n.over(m) is None and n.over(Size(2)) is None
    assert (n.symbol, unnamed.symbol, (n * Size(2)).symbol, (n * n).symbol, ONE.symbol) == (
        "N",
        ("N", 0),
        None,
        None,
        None,
    )
    assert (n * Size(0)).is_number and not n.is_number
