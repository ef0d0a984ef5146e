import dataclasses

import pytest

from tithe.audit import QUICK, STANDARD, AuditPlan, costs
from tithe.core.errors import UsageError


def test_the_quick_plan_asks_for_less_of_everything():
    assert sum(cost.calls for cost in costs(QUICK)) < sum(cost.calls for cost in costs(STANDARD)) / 3
    assert sum(cost.output_tokens for cost in costs(QUICK)) < 12_000


@pytest.mark.parametrize(
    "options", [{"lengths": ()}, {"repeats": 0}, {"concurrency": (1, 0)}, {"think_s": -0.1}, {"seed": -1}]
)
def test_a_plan_that_cannot_be_run_is_refused_by_name(options):
    with pytest.raises(UsageError) as raised:
        AuditPlan(**options)
    assert raised.value.param == next(iter(options))


def test_every_option_is_described():
    described = AuditPlan.__doc__ or ""
    for field in dataclasses.fields(AuditPlan):
        assert f"\n        {field.name}: " in described
