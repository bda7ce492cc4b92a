"""The training presets that ship with this package, as text: naming them needs no PyTorch."""

from importlib import resources

PAPER = 'paper/'
"""Before the names of the presets that follow one table of the paper's appendix D each."""


def preset_names() -> list[str]:
    """Names of the presets for this robot."""
    return _names('presets')


def paper_preset_names() -> list[str]:
    """Names of the presets that follow the paper's tables, `paper/...`."""
    return [PAPER + name for name in _names('paper_presets')]


def preset_text(name: str) -> str:
    """YAML of the preset `name`."""
    folder = 'paper_presets' if name.startswith(PAPER) else 'presets'
    file = f'{name.removeprefix(PAPER)}.yaml'
    return (resources.files('implicit_bc') / folder / file).read_text()


def _names(folder: str) -> list[str]:
    files = (resources.files('implicit_bc') / folder).iterdir()
    return sorted(f.name.removesuffix('.yaml') for f in files if f.name.endswith('.yaml'))
