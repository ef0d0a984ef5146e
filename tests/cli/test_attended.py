"""What a Ctrl-C does to what is told when the command has ended. All else is in test_record.py, in a process of its own."""

import os
import signal

from tithe.cli.attended import Attendant


def test_one_ctrl_c_leaves_what_is_told_whole_and_a_second_ends_it(capsys) -> None:
    before = signal.getsignal(signal.SIGINT)
    reached: list[int] = []
    with Attendant().telling():
        os.kill(os.getpid(), signal.SIGINT)
        reached.append(1)
        os.kill(os.getpid(), signal.SIGINT)
        reached.append(2)
    assert reached == [1]
    assert "told no further; `tithe tasks` lists what was recorded" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
