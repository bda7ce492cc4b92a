import pytest


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A folder of its own, in which nothing is found by a relative path."""
    monkeypatch.chdir(tmp_path)
