import shutil

import numpy as np
import pytest

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from implicit_bc.dataset import load_dataset
from implicit_bc.dataset_builder import build_dataset
from implicit_bc.dataset_export import export_dataset

RGB = load_contract('planar_rgb')


@pytest.fixture
def dataset(episodes, tmp_path):
    episodes.make(steps=10)
    episodes.make(steps=6, speed_m_s=0.1)
    return build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)


def test_nothing_is_lost_and_little_is_left(dataset, tmp_path):
    size = export_dataset(dataset, tmp_path / 'carried')
    assert size == sum(file.stat().st_size for file in (tmp_path / 'carried').iterdir())
    assert size < dataset.observations.nbytes / 10
    carried = load_dataset(tmp_path / 'carried')
    for name in ('observations', 'index', 'actions', 'episode'):
        np.testing.assert_array_equal(getattr(carried, name), getattr(dataset, name))
    assert carried.meta == dataset.meta


def test_what_is_there_is_not_overwritten(dataset, tmp_path):
    (tmp_path / 'carried').mkdir()
    with pytest.raises(IbcError, match='carried is there already'):
        export_dataset(dataset, tmp_path / 'carried')


def test_a_file_that_was_cut_off_on_its_way(dataset, tmp_path):
    export_dataset(dataset, tmp_path / 'carried')
    packed = tmp_path / 'carried' / 'observations.npy.xz'
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(IbcError, match='carried: damaged dataset'):
        load_dataset(tmp_path / 'carried')


def test_a_folder_that_cannot_be_written_leaves_nothing(dataset, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(IbcError, match='cannot be written'):
        export_dataset(dataset, tmp_path / 'file' / 'carried')
    shutil.rmtree(tmp_path / 'cache')
    assert [path.name for path in tmp_path.iterdir() if 'carried' in path.name] == []
