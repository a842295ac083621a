from weckd.errors import duration
from weckd.training.job import Progress


def test_a_line_every_few_seconds_with_the_time_left(capsys):
    clock = [100.0]
    progress = Progress("ears", 10, seconds=lambda: clock[0])
    progress.skip(2)  # stored already
    for _ in range(4):
        clock[0] += 3.0
        progress.step()
    assert capsys.readouterr().err == (
        "[ears] 4/10 steps (2 from before), about 18 s left\n[ears] 6/10 steps (2 from before), about 12 s left\n"
    )


def test_a_line_names_cell_and_fit(capsys):
    progress = Progress("ears", 10)
    progress.cell = "seed 3 (1 of 2)"
    progress.tell("begins")
    progress.fit = "fit 4 of 9"
    progress.tell("finished")
    assert capsys.readouterr().err == (
        "[ears] seed 3 (1 of 2): begins\n[ears] seed 3 (1 of 2), fit 4 of 9: finished\n"
    )


def test_durations_read_well():
    assert [duration(seconds) for seconds in (0.4, 89, 150, 9000)] == ["0 s", "89 s", "2 min", "2.5 h"]
