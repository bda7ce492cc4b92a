from setuptools import find_packages, setup

NAME = 'ibc_policy_node'

setup(
    name=NAME,
    version='0.1.0',
    description='5 Hz node that runs an implicit policy on camera frames.',
    license='Apache-2.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ],
    install_requires=[
        'ibc_contract',
        'implicit_bc',
        'numpy',
        'torch',
        'pydantic>=2',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'ibc_policy = ibc_policy_node.node:main',
        ],
    },
    zip_safe=False,
)
