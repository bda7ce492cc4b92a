import subprocess
import sys


def run(code):
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_datasets_baselines_and_evaluation_do_not_import_torch():
    modules = 'dataset_builder, evaluation, baselines, wilson'
    assert run(f'import sys; from implicit_bc import {modules}; print("torch" in sys.modules)') == [
        'False'
    ]


def test_threads_are_told_not_to_spin_before_torch_is_imported():
    code = (
        'import os, sys; import implicit_bc; '
        'print("torch" in sys.modules, os.environ["GOMP_SPINCOUNT"])'
    )
    assert run(code) == ['False', '2000']
