"""The training presets that ship with this package, as text: naming them needs no PyTorch."""

from importlib import resources


def preset_names() -> list[str]:
    """Names of the presets."""
    folder = resources.files('implicit_bc') / 'presets'
    return sorted(
        f.name.removesuffix('.yaml') for f in folder.iterdir() if f.name.endswith('.yaml')
    )


def preset_text(name: str) -> str:
    """YAML of the preset `name`."""
    return (resources.files('implicit_bc') / 'presets' / f'{name}.yaml').read_text()
