"""A replay on the terminal: what is printed, figure by figure."""

from rich.console import Console

from tithe.ledger import Account
from tithe.report import print_replay
from tithe.whatif import Forecast, Interval, Projected, check


def account(wall: dict[str, float], cached: int | None) -> Account:
    return Account(
        task="t1",
        name="mend",
        started=None,
        wall_s=sum(wall.values()),
        wall=wall,  # pyright: ignore[reportArgumentType]
        busy={},
        steps=2,
        calls=2,
        retries=0,
        tools=1,
        input_tokens=700,
        cached_tokens=cached,
        output_tokens=24,
    )


def test_buckets_stand_side_by_side_and_sum_to_the_wall_clock():
    console = Console(width=100, record=True, force_terminal=False)
    before = account({"prefill": 1.2, "decode": 2.0, "retry": 3.0}, None)
    after = account({"prefill": 0.4, "decode": 2.5}, 512)
    with console.capture() as captured:
        print_replay(before, after, ["One [note]."], console)
    lines = {
        line.strip().split("  ")[0]: line.split() for line in captured.get().splitlines() if line.strip()
    }
    assert lines["prefill"] == ["prefill", "1.20", "s", "400", "ms", "-800", "ms"]
    assert lines["decode"][-2:] == ["+500", "ms"]
    assert lines["retry"] == ["retry", "3.00", "s", "-", "-3.00", "s"]
    assert lines["wall clock"] == ["wall", "clock", "6.20", "s", "2.90", "s", "-3.30", "s"]
    assert lines["of them cached"] == ["of", "them", "cached", "n/r", "512", "-"]
    assert "tool" not in lines
    assert "One [note]." in captured.get()


def test_a_projection_stands_between_with_its_errors_and_whether_its_interval_held():
    wall = Interval(p50=3.0, mean=3.1, low=2.95, high=3.3)
    after = {"prefill": 0.5, "decode": 2.6}
    projected = Projected(
        task="t1", name="mend", calls=2, before_s=3.2, wall=wall, before={}, after=after, floor={}
    )
    replayed = account({"prefill": 0.4, "decode": 2.4, "queue": 0.1}, 512)
    found = check(Forecast(projected=projected, source="what was said"), replayed.wall, replayed.wall_s)
    console = Console(width=100, record=True, force_terminal=False)
    with console.capture() as captured:
        print_replay(account({"prefill": 1.2, "decode": 2.0}, None), replayed, [], console, found)
    lines = {
        line.strip().split("  ")[0]: line.split() for line in captured.get().splitlines() if line.strip()
    }
    assert lines["prefill"] == ["prefill", "1.20", "s", "500", "ms", "400", "ms", "+100", "ms"]
    assert lines["queue"] == ["queue", "-", "-", "100", "ms", "-100", "ms"]
    assert lines["wall clock"][2:] == ["3.20", "s", "3.00", "s", "2.90", "s", "+100", "ms"]
    said = " ".join(captured.get().split())
    assert "stands on what was said. It is 3.4 % too long" in said
    assert "the replayed 2.90 s are outside its 80 % interval, 2.95 s to 3.30 s" in said
