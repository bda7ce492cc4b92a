from glob import glob

from setuptools import find_packages, setup

NAME = 'ibc_contract'

setup(
    name=NAME,
    version='0.1.0',
    description='What an observation and an action are: topics, QoS, episode bags, pacing, node runner.',
    license='Apache-2.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/config', sorted(glob(f'{NAME}/*.xml'))),
    ],
    install_requires=[
        'numpy',
        'opencv-python',
        'PyYAML',
        'pydantic>=2',
        'mcap',
        'rosbags',
        'zstandard',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    zip_safe=False,
)
