from glob import glob

from setuptools import find_packages, setup

NAME = 'ibc_bringup'

setup(
    name=NAME,
    version='0.1.0',
    description='Stacks, launch files and the `ibc` command.',
    license='Apache-2.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        (f'share/{NAME}/launch', sorted(glob('*.launch.py'))),
        (f'share/{NAME}/config', sorted(glob('config/*.*'))),
    ],
    install_requires=[
        'ibc_contract',
        'ibc_studies',
        'planar_arm',
        'implicit_bc',
        'xarm_twin',
        'xarm_planar_driver',
        'realsense_capture',
        'teleop_mouse',
        'demo_recorder',
        'ibc_policy_node',
        'ibc_models',
        'imageio-ffmpeg',
        'Jinja2',
        'matplotlib',
        'numpy',
        'opencv-python',
        'pydantic>=2',
        'PyYAML',
        'tqdm',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'ibc = ibc_bringup.main:main',
            'bringup = ibc_bringup.bring_up_node:main',
            'trials = ibc_bringup.trials_node:main',
        ],
    },
    zip_safe=False,
)
