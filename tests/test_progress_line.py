"""The one line of how far a run is."""

import io

from weckd.progress import ProgressLine, Work, how_far


def logged(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_cells_count_the_whole_run_and_jobs_what_this_call_has_to_do(tmp_path):
    half = logged(
        tmp_path, "a", "[a] 10/80 steps, about 9 s left\n[a] 40/80 steps, about 5 s left\n[a] finished\n"
    )
    works = [
        Work("split b", "ended"),
        Work("train a seeds1-2", "running", 2, half),
        Work("train b seeds1-2", "waiting", 2),
        Work("gather a 1", "waiting"),
    ]
    far = how_far(works, 10)
    assert (far.before, far.since, far.left, far.share) == (6.0, 1.0, 3.0, 0.25)
    assert far.line(150.0, 100) == (
        "weckd: 7 of 10 cells (6 from before), 1 of 4 jobs, about 2 min left; train a seeds1-2 (50%)"
    )
    assert far.line(None, 60) == "weckd: 7 of 10 cells (6 from before), 1 of 4 jobs; train .."


def test_steps_that_a_job_found_made_are_from_before(tmp_path):
    resumed = logged(
        tmp_path, "a", "[a] seed 1 (1 of 2), fit 1 of 3: 60/80 steps (40 from before), about 5 s left\n"
    )
    far = how_far([Work("train a", "running", 2, resumed)], 2)
    assert (far.before, far.since, far.left) == (1.0, 0.5, 0.5)
    assert far.line(None, 80) == "weckd: 1 of 2 cells (1 from before), 0 of 1 jobs; train a (75%)"
    ended = how_far([Work("train a", "ended", 2, resumed)], 2)
    assert (ended.before, ended.since, ended.left) == (1.0, 1.0, 0.0)


def test_without_training_only_jobs_are_counted_and_a_download_tells_how_far_it_is(tmp_path):
    bar = logged(tmp_path, "fetch", "[a] a.zip:  45%|####      | 450M/1.00G [00:30<00:37, 15.0MB/s]")
    far = how_far([Work("fetch a", "running", 0, bar), Work("fetch b", "ended"), Work("split", "failed")], 0)
    assert far.line(None, 80) == "weckd: 1 of 3 jobs, 1 failed; fetch a (45%)"
    assert far.share == 1 / 3


def test_cells_of_a_job_that_failed_take_no_time():
    far = how_far([Work("train a", "failed", 2), Work("train b", "ended", 1)], 3)
    assert (far.since, far.left, far.share) == (1.0, 0.0, 1.0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, tmp_path, times):
    """Return what a line shows of a job of 100 steps, each time a second and a step count, then when it is stopped."""
    log, clock = tmp_path / "log", [0.0]
    line = ProgressLine(lambda: [Work("train a", "running", 1, log)], 1, stream, lambda: clock[0])
    for clock[0], steps in times:
        log.write_text(f"[a] {steps}/100 steps, about 1 s left\n" if steps else "")
        line.show()
    line.clear()
    line.stop()
    return stream.getvalue()


def test_a_terminal_has_one_line_that_is_rewritten_and_taken_away(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("TERM", "xterm")
    assert shown(Terminal(), tmp_path, [(0.0, 0), (10.0, 20), (20.0, 40)]) == (
        "\r\x1b[Kweckd: 0 of 1 cells, 0 of 1 jobs; train a\r"
        "\r\x1b[Kweckd: 0 of 1 cells, 0 of 1 jobs; train a (20%)\r"
        "\r\x1b[Kweckd: 0 of 1 cells, 0 of 1 jobs, about 30 s le..\r"
        "\r\x1b[K"
    )


def test_elsewhere_a_line_is_printed_at_each_tenth_but_no_sooner_than_every_30_s_and_after_five_minutes(
    tmp_path,
):
    times = [(0.0, 0), (20.0, 11), (31.0, 12), (61.0, 21), (70.0, 60), (100.0, 61), (369.0, 62), (370.0, 63)]
    lines = shown(io.StringIO(), tmp_path, times).splitlines()
    assert [line.partition("; ")[2] for line in lines] == [
        "train a",
        "train a (12%)",
        "train a (60%)",
        "train a (63%)",
    ]
