import threading

import pytest
import torch

from implicit_bc.threads import side_by_side, single_threads, use_threads


@pytest.fixture(params=[1, 2, 4])
def threads(request):
    before = torch.get_num_threads()
    use_threads(request.param)
    yield request.param
    use_threads(before)


def test_results_come_in_the_order_of_the_work(threads):
    assert side_by_side([lambda i=i: i * i for i in range(20)]) == [i * i for i in range(20)]
    assert side_by_side([]) == []
    assert side_by_side([int, float, str]) == [0, 0.0, '']
    assert torch.get_num_threads() == threads


def test_each_piece_has_one_thread_of_pytorch():
    use_threads(2)
    try:
        meet = threading.Barrier(2, timeout=30)  # broken, were they not side by side

        def piece():
            meet.wait()
            return torch.get_num_threads(), threading.get_ident()

        (one, here), (other, there) = side_by_side([piece, piece])
        assert (one, other) == (1, 1)
        assert here == threading.get_ident() != there
    finally:
        use_threads(1)


def test_what_fails_is_raised_and_the_threads_are_back(threads):
    def fail():
        raise ZeroDivisionError

    for work in ([fail, int, int], [int, int, fail]):
        with pytest.raises(ZeroDivisionError):
            side_by_side(work)
    assert torch.get_num_threads() == threads


def test_single_threads_stay_so_while_others_keep_their_count(threads):
    def counted():
        meet.wait()
        return torch.get_num_threads()

    meet = threading.Barrier(3, timeout=30)
    with single_threads(3, 'alone') as pool:
        assert torch.get_num_threads() == threads
        for _ in range(2):
            use_threads(threads)
            assert [each.result() for each in [pool.submit(counted) for _ in range(3)]] == [1] * 3
