"""Facts about distributions as plain data, against Optuna's own."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.space.distributions import Categorical, Float, Int

STEPS = (0.001, 0.05, 0.1, 0.3, 0.7, 1.0, 2.5)


@given(low=st.integers(-20, 20), count=st.integers(0, 60), step=st.sampled_from(STEPS))
def test_a_stepped_float_holds_decimals_that_optuna_holds_too(low: int, count: int, step: float) -> None:
    high = float(f"{low + count * step:.10g}")
    distribution = Float(type="float", low=low, high=high, step=step)
    values = list(distribution.values())
    assert values == [float(f"{low + index * step:.10g}") for index in range(count + 1)]
    theirs = optuna.distributions.FloatDistribution(low, high, step=step)
    for value in values:
        optuna.trial.create_trial(value=0, params={"x": value}, distributions={"x": theirs})  # raises if it is outside


@given(low=st.integers(-20, 20), count=st.integers(1, 60), step=st.sampled_from(STEPS), data=st.data())
def test_a_stepped_float_takes_optunas_rounding_noise_and_nothing_between_two_steps(
    low: int, count: int, step: float, data: st.DataObject
) -> None:
    distribution = Float(type="float", low=low, high=float(f"{low + count * step:.10g}"), step=step)
    index = data.draw(st.integers(0, count))
    assert distribution.place(low + index * step) == distribution.values()[index]
    with pytest.raises(ValueError, match="is not one of"):
        distribution.place(low + (index + 0.5) * step)


@given(low=st.integers(-50, 50), count=st.integers(0, 30), step=st.integers(1, 9))
def test_an_int_takes_its_values_and_no_others(low: int, count: int, step: int) -> None:
    distribution = Int(type="int", low=low, high=low + count * step, step=step)
    taken = set()
    for value in range(low - step, low + (count + 1) * step + 1):
        try:
            taken.add(distribution.place(value))
        except ValueError:
            continue
    assert taken == set(distribution.values())


@pytest.mark.parametrize("value", [True, "3", None, 3.5, float("nan")])
def test_what_is_no_whole_number_is_none_of_an_ints_values(value: object) -> None:
    with pytest.raises(ValueError, match="is not"):
        Int(type="int", low=0, high=10).place(value)


def test_choices_keep_their_kind_and_have_labels_that_any_storage_holds() -> None:
    distribution = Categorical(type="categorical", choices=("ไทย", None, 0.5, {"start": 1, "end": 0}, ["中文", "عربي"]))
    assert distribution.labels == ("ไทย", None, 0.5, '{"end": 0, "start": 1}', '["中文", "عربي"]')
    assert [distribution.place(choice) for choice in distribution.choices] == list(distribution.choices)
    with pytest.raises(ValueError, match="'ไท' is not one of 'ไทย', None"):
        distribution.place("ไท")
