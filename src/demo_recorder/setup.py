from setuptools import find_packages, setup

NAME = 'demo_recorder'

setup(
    name=NAME,
    version='0.1.0',
    description='Episode recorder, bag tools and replay.',
    license='Apache-2.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ],
    install_requires=[
        'ibc_contract',
        'numpy',
        'mcap',
        'pydantic>=2',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'demo_recorder = demo_recorder.node:main',
            'replay_bag = demo_recorder.replay_node:main',
        ],
    },
    zip_safe=False,
)
