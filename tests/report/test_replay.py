"""A replay on the terminal: what is printed, figure by figure."""

from rich.console import Console

from tithe.ledger import Account
from tithe.report import print_replay


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
