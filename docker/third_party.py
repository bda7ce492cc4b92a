"""Print what the packages of this repository need from PyPI, one requirement per line.

The Dockerfile installs these with pip and the packages themselves with colcon. Needs nothing but
the standard library: it runs before anything is installed.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def third_party(root: Path = ROOT) -> list[str]:
    """Return the sorted `install_requires` of every package, without the packages themselves."""
    files = [*root.glob('src/*/setup.py'), root / 'launch' / 'setup.py', root / 'models/setup.py']
    required: set[str] = set()
    own: set[str] = set()
    for file in files:
        tree = ast.parse(file.read_text())
        own |= {ast.literal_eval(n.value) for n in tree.body if _assigns_name(n)}
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == 'install_requires':
                required |= set(ast.literal_eval(node.value))
    return sorted(required - own)


def _assigns_name(node: ast.stmt) -> bool:
    """Tell whether this is the line `NAME = '...'` of a setup.py."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == 'NAME'


if __name__ == '__main__':
    sys.stdout.write(''.join(f'{requirement}\n' for requirement in third_party()))
