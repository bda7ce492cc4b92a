from pathlib import Path

from setuptools import setup

NAME = 'ibc_models'

setup(
    name=NAME,
    version='0.1.0',
    description='Trained policy bundles.',
    license='Apache-2.0',
    packages=[],
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        *(
            (f'share/{NAME}/{bundle}', sorted(str(f) for f in bundle.iterdir() if f.is_file()))
            for bundle in sorted(p.parent for p in Path().glob('*/policy.yaml'))
        ),
    ],
    install_requires=[],
    extras_require={'test': ['pytest', 'hypothesis']},
    zip_safe=False,
)
