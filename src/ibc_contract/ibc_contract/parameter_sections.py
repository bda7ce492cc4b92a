"""Which sections of a ROS parameter file a node reads. Knows no ROS."""

from collections.abc import Mapping
from typing import Any

PARAMETERS = 'ros__parameters'
EVERY_NODE = '/**'


def parameter_sections(data: Any) -> dict[str, dict[str, Any]]:
    """Return the parameters of each section of a parameter file, by its name with a slash before.

    A section may be `NODE`, `/NAMESPACE/NODE`, `/**` for every node, or nested by namespace.

    Args:
        data: The file, as YAML gives it.

    Raises:
        ValueError: It is no parameter file.
    """
    if not isinstance(data, Mapping) or not data:
        raise ValueError(f'it needs {EVERY_NODE}: {PARAMETERS}: and the values below')
    found: dict[str, dict[str, Any]] = {}
    for name, inside in data.items():
        if not isinstance(inside, Mapping) or not inside:
            raise ValueError(f'{name}: needs {PARAMETERS}: and the values below')
        if PARAMETERS in inside:
            values = inside[PARAMETERS]
            if not isinstance(values, Mapping) or not values:
                raise ValueError(f'{name}: {PARAMETERS}: holds no values; leave it out')
            below = {'': dict(values)}
        else:
            below = parameter_sections(inside)
        found |= {_joined(str(name), rest): values for rest, values in below.items()}
    return found


def is_read_by(section: str, node: str) -> bool:
    """Tell whether rclpy gives a section to a node: both by their full names, as '/lab/driver'."""
    return section in (EVERY_NODE, node)


def _joined(name: str, rest: str) -> str:
    return f'/{name.strip("/")}{rest}'
