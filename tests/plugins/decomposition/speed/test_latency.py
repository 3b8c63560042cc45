"""What stacks take: the model's formula, a line through two measured ranks, few questions to the clock."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_layers import layer
from onnxpress_plugins.decomposition.speed.latency import BLOCK, INT8, Job, Modelled, job_of, jobs_of, stack_seconds
from onnxpress_plugins.decomposition.speed.workload import Workload
from onnxpress_plugins.decomposition.ways import Way

LAYER = layer(64, 32, 3, 5, strides=(2, 1), pads=(1, 2, 1, 2))
WORK = Workload(repeats=1, sizes_in=(16, 20), sizes_out=(8, 20))
SPATIAL, TUCKER = Way("spatial", (0,)), Way("tucker2")


class Asked:
    """A clock that tells a line in the blocks of 16 channels between two parts, and remembers what it was asked."""

    label, model = "asked", Modelled()

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def seconds(self, jobs: Sequence[Job]) -> float:
        ranks = tuple(job.weight_shape[0] for job in jobs[:-1])
        self.asked.append(ranks)
        return 1.0 + 0.5 * -(-ranks[0] // BLOCK)


def test_the_model_counts_blocks_of_channels_and_bytes_of_what_is_read_and_written() -> None:
    job = Job(weight_shape=(20, 16, 3), strides=(1,), dilations=(1,), repeats=2, sizes_in=(10,), sizes_out=(8,))
    macs, numbers = 2 * 8 * 3 * 16 * 32, 2 * 10 * 16 + 2 * 8 * 20 + 20 * 16 * 3
    expected = 10.1626e-12 * macs + 43.32e-12 * 4 * numbers + 1.03e-6
    assert Modelled().seconds([job]) == pytest.approx(expected)
    assert Modelled().seconds([job, job]) == pytest.approx(2 * expected)
    assert INT8.seconds([job]) == pytest.approx(2.8591e-12 * macs + 91.58e-12 * numbers + 1.84e-6)


def test_the_first_part_runs_over_all_places_of_the_axes_to_come() -> None:
    first, second = jobs_of(SPATIAL.stack(LAYER, (24,)), WORK)
    assert (first.weight_shape, first.strides, first.sizes_in, first.sizes_out) == (
        (24, 32, 3, 1),
        (2, 1),
        (16, 20),
        (8, 20),
    )
    assert (second.weight_shape, second.strides, second.sizes_in, second.sizes_out) == (
        (64, 24, 1, 5),
        (1, 1),
        (8, 20),
        (8, 20),
    )
    assert job_of(LAYER, WORK).sizes_in == (16, 20)


@given(ranks=st.lists(st.integers(1, 96), min_size=1, max_size=9, unique=True))
def test_two_questions_tell_every_rank(ranks: list[int]) -> None:
    clock = Asked()
    found = stack_seconds(clock, [SPATIAL.stack(LAYER, (rank,)) for rank in ranks], WORK)
    assert found == pytest.approx([1.0 + 0.5 * -(-rank // BLOCK) for rank in ranks])
    assert len(clock.asked) == 2 and clock.asked[0] == (16,)


def test_the_second_question_is_of_about_half_the_cost() -> None:
    clock = Asked()
    stack_seconds(clock, [SPATIAL.stack(LAYER, (32,))], WORK)
    asked = WORK.of(SPATIAL.stack(LAYER, clock.asked[1])) / WORK.dense(LAYER)
    assert asked == pytest.approx(0.5, abs=0.1)


def test_three_parts_follow_the_model_and_the_clock_says_how_fast_the_machine_is() -> None:
    stacks = [TUCKER.stack(LAYER, ranks) for ranks in ((16, 16), (16, 32), (32, 48))]
    clock = Asked()
    modelled = [Modelled().seconds(jobs_of(stack, WORK)) for stack in stacks]
    found = stack_seconds(clock, stacks, WORK)
    assert clock.asked == [(32, 48)]
    assert found == pytest.approx([2.0 * seconds / modelled[-1] for seconds in modelled])


def test_ways_do_not_mix() -> None:
    stacks = [SPATIAL.stack(LAYER, (16,)), TUCKER.stack(LAYER, (16, 16)), SPATIAL.stack(LAYER, (32,))]
    assert stack_seconds(Asked(), stacks, WORK) == pytest.approx([1.5, 1.5, 2.0])
