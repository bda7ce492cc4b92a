import numpy as np

from ibc_bringup.plots import loss_curve, success_bars
from ibc_bringup.report import Report, Section, Table, duration_text
from ibc_bringup.video import Mp4Writer, with_caption


def test_the_report_needs_no_other_file(tmp_path):
    with Mp4Writer(tmp_path / 'run.mp4', fps=10) as film:
        for shade in range(0, 250, 25):
            frame = np.full((90, 160, 3), shade, np.uint8)
            film.add(with_caption(frame, ('push_red', '1.0 s')))
    table = Table(('policy', 'success'), (('<trained>', '0.90'), ('random', '0.00')))
    sections = (
        Section('Video', video=film.path),
        Section('Result', table=table, figure_svg=success_bars([('trained', 0.9, 0.7, 0.97)])),
        Section('Training', figure_svg=loss_curve(list(range(50)), [1.0] * 50, chance=2.0)),
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
