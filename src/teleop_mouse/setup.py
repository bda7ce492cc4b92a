from setuptools import find_packages, setup

NAME = 'teleop_mouse'

setup(
    name=NAME,
    version='0.1.0',
    description='Mouse teleoperation window: lead the tool over the board, record and label episodes.',
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
        'xarm_twin',
        'numpy',
        'opencv-python',
        'pydantic>=2',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'teleop_mouse = teleop_mouse.node:main',
        ],
    },
    zip_safe=False,
)
