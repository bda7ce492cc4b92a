from setuptools import find_packages, setup

NAME = 'xarm_planar_driver'

setup(
    name=NAME,
    version='0.1.0',
    description='100 Hz driver that streams interpolated, gated joint positions to an xArm6.',
    license='Apache-2.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ],
    install_requires=[
        'ibc_contract',
        'planar_arm',
        'numpy',
        'xarm-python-sdk',
        'pydantic>=2',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'xarm_planar_driver = xarm_planar_driver.node:main',
        ],
    },
    zip_safe=False,
)
