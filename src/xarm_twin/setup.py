from setuptools import find_packages, setup

NAME = 'xarm_twin'

setup(
    name=NAME,
    version='0.1.0',
    description='PyBullet twin: world, tasks, demonstrators, camera, Gymnasium environments, emulated xArm controller.',
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
        'opencv-python',
        'pybullet',
        'gymnasium',
        'PyYAML',
        'pydantic>=2',
        'tqdm',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'xarm_twin = xarm_twin.node:main',
            'demonstrator = xarm_twin.demonstrator_node:main',
        ],
    },
    zip_safe=False,
)
