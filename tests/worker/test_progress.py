"""How far a training is, on a terminal and in a log."""

import io

from fl_worker.progress import TrainingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO) -> str:
    progress = TrainingProgress("round 3", stream)
    for epoch in (1, 2):
        for batch in range(1, 11):
            progress(epoch, 2, batch, 10, 1 / batch)
    return stream.getvalue()


def test_a_log_gets_a_line_an_epoch() -> None:
    assert shown(io.StringIO()).splitlines() == [
        "round 3: epoch 1/2, batch 10/10, loss 0.1000",
        "round 3: epoch 2/2, batch 10/10, loss 0.1000",
    ]


def test_a_terminal_gets_a_full_bar_at_the_end_of_each_epoch() -> None:
    assert shown(Terminal()).count("━" * 24 + " loss 0.1000\n") == 2
