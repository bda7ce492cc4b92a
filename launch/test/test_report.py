import numpy as np

from ibc_bringup.plots import success_bars, training_curves
from ibc_bringup.report import Report, Section, Table, duration_text
from ibc_bringup.video import Mp4Writer, with_caption

METRICS = [
    *({'step': step, 'loss': 1.0} for step in range(50)),
    {
        'step': 49, 'validation/loss': 1.1, 'validation/action_error_mm': 2.0,
        'validation/action_error_median_mm': 1.5,
    },
]  # fmt: skip


def test_the_report_needs_no_other_file(tmp_path):
    with Mp4Writer(tmp_path / 'run.mp4', fps=10) as film:
        for shade in range(0, 250, 25):
            frame = np.full((90, 160, 3), shade, np.uint8)
            film.add(with_caption(frame, ('push_red', '1.0 s')))
    table = Table(('policy', 'success'), (('<trained>', '0.90'), ('random', '0.00')))
    sections = (
        Section('Video', video=film.path),
        Section('Result', table=table, figure_svg=success_bars([('trained', 0.9, 0.7, 0.97)])),
        Section('Training', figure_svg=training_curves(METRICS, 'a loss', chance=2.0)),
        Section('Configuration', facts={'steps': 50}),
    )
    report = Report(
        'Loop', ('today', 'seed 3'), 'in short', {'success': '0.90'}, sections, 'but <why>'
    )
    page = report.write(tmp_path / 'out' / 'report.html').read_text()
    assert 'today · seed 3' in page
    assert '<p class="remark">But &lt;why&gt;.</p>' in page
    assert '<b>0.90</b><span>success</span>' in page
    assert 'data:video/mp4;base64,' in page
    assert page.count('<svg') == 2
    assert '&lt;trained&gt;' in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_training_is_drawn_with_its_validation():
    texts = ('a loss', 'training step', 'training', 'validation', 'action error [mm]', 'median')
    whole, unvalidated = training_curves(METRICS, 'a loss'), training_curves(METRICS[:-1], 'a loss')
    assert [text for text in texts if f'<!-- {text} -->' not in whole] == []
    assert [text for text in texts if f'<!-- {text} -->' in unvalidated] == list(texts[:3])
    assert '<!-- guessing -->' not in whole
    assert '<!-- guessing -->' in training_curves(METRICS, 'a loss', chance=2.0)


def test_columns_of_numbers_are_told_from_others(tmp_path):
    table = Table(('', 'steps', 'success'), (('1', '10', ''), ('2', '', '0.9 [0.8, 1]')))
    assert table.numeric == [False, True, False]
    report = Report('', (), '', {}, (Section('', table=table),)).write(tmp_path / 'report.html')
    assert '<td class=number>10</td>' in report.read_text()


def test_times_are_written_for_people():
    assert duration_text(4.2) == '4 s'
    assert duration_text(630) == '10.5 min'


def test_a_film_has_the_frames_that_were_added(tmp_path):
    import imageio_ffmpeg

    with Mp4Writer(tmp_path / 'run.mp4', fps=10) as film:
        for _ in range(20):
            film.add(np.zeros((90, 160, 3), np.uint8))
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(film.path))
    assert frames == film.frames == 20
    assert abs(seconds - 2.0) < 0.2


def test_a_film_without_frames_leaves_no_file(tmp_path):
    with Mp4Writer(tmp_path / 'run.mp4', fps=10):
        pass
    assert not (tmp_path / 'run.mp4').exists()


def test_a_caption_turns_green_on_success():
    frame = np.zeros((90, 160, 3), np.uint8)
    assert with_caption(frame, ('a',))[1, 1].tolist() == [24, 24, 24]
    assert with_caption(frame, ('a',), done=True)[1, 1].tolist() == [46, 160, 67]
    assert not frame.any()


def test_tables_line_up_on_the_terminal():
    text = Table(('policy', 'success'), (('trained', '0.9'), ('nothing', '0'))).to_text()
    assert text.splitlines()[0].index('success') == text.splitlines()[2].index('0.9')
