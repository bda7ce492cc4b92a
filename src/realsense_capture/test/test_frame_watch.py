import numpy as np

from realsense_capture.frame_watch import FROZEN, LOST_AFTER_S, MISTIMED, SILENT, FrameWatch


def picture(grey, row=0, column=0):
    rgb = np.zeros((36, 64, 3), np.uint8)
    rgb[row, column] = grey
    return rgb


def watch_from(now_s=0.0):
    watch = FrameWatch()
    watch.restart(now_s)
    return watch


def take(watch, number, rgb, now_s):
    new = watch.is_new(number, rgb, now_s)
    if new:
        watch.usable(now_s)
    return new


def test_new_frames_pass_and_gaps_in_their_count_are_told():
    watch = watch_from()
    assert all(take(watch, n, picture(n), n / 30) for n in (1, 2, 5, 6))
    assert (watch.missing, watch.repeated, watch.complaint) == (2, 0, '')


def test_one_pixel_is_enough_to_be_new():
    watch = watch_from()
    assert take(watch, 1, picture(1, 33, 61), 0.0)
    assert take(watch, 2, picture(2, 33, 61), 0.1)


def test_equal_pixels_or_an_equal_count_are_the_same_frame():
    watch = watch_from()
    assert take(watch, 1, picture(1), 0.0)
    assert not take(watch, 2, picture(1), 0.1)
    assert not take(watch, 2, picture(3), 0.2)
    assert take(watch, 3, picture(4), 0.3)
    assert watch.repeated == 2
    assert watch.complaint == ''


def test_a_frozen_camera_is_told_and_then_given_up():
    watch = watch_from()
    take(watch, 1, picture(1), 0.0)
    for k in range(2, 70):
        now_s = k / 30
        assert not take(watch, k, picture(1), now_s)
        assert (watch.complaint == FROZEN) == (now_s > LOST_AFTER_S / 2)
        assert watch.lost(now_s) == (now_s > LOST_AFTER_S)


def test_a_silent_camera_is_told_and_then_given_up():
    watch = watch_from(10.0)
    for now_s in np.arange(10.0, 12.5, 0.1):
        watch.silent(now_s)
        assert (watch.complaint == SILENT) == (now_s - 10.0 > LOST_AFTER_S / 2)
        assert watch.lost(now_s) == (now_s - 10.0 > LOST_AFTER_S)


def test_a_pause_does_not_hide_what_else_is_wrong():
    watch = watch_from()
    for k in range(30):
        watch.is_new(k, picture(k), k / 10)
        watch.mistimed()
        watch.silent(k / 10 + 0.05)
        assert watch.complaint == MISTIMED


def test_frames_without_a_usable_stamp_are_none():
    watch = watch_from()
    for k in range(80):
        assert watch.is_new(k, picture(k), k / 30)
        watch.mistimed()
    assert watch.complaint == MISTIMED
    assert watch.lost(80 / 30)


def test_a_count_that_starts_over_is_no_loss():
    watch = watch_from()
    take(watch, 5000, picture(1), 0.0)
    assert take(watch, 1, picture(2), 0.1)
    assert watch.missing == 0


def test_a_restart_forgets_the_last_picture():
    watch = watch_from()
    take(watch, 1, picture(1), 0.0)
    watch.restart(5.0)
    assert take(watch, 1, picture(1), 5.1)
    assert not watch.lost(5.2)
