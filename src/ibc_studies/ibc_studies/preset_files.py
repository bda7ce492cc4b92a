"""The study presets that ship with this package, as text: naming them needs no PyTorch."""

from importlib import resources


def study_presets(study: str) -> list[str]:
    """Names of the presets of a study."""
    folder = resources.files('ibc_studies') / 'presets'
    return sorted(
        f.name.removeprefix(f'{study}_').removesuffix('.yaml')
        for f in folder.iterdir()
        if f.name.startswith(f'{study}_')
    )


def study_preset_text(study: str, name: str) -> str:
    """YAML of preset `name` of `study`."""
    return (resources.files('ibc_studies') / 'presets' / f'{study}_{name}.yaml').read_text()
