from setuptools import find_packages, setup

NAME = 'planar_arm'

setup(
    name=NAME,
    version='0.1.0',
    description='Frames, workspace, xArm6 kinematics, setpoint interpolation and safety gate, free of ROS.',
    license='Apache-2.0',
    packages=find_packages(exclude=['test']),
    package_data={'': ['py.typed', '*.yaml', '*.html', '*/*.yaml', '*.xml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
    ],
    install_requires=[
        'numpy',
        'pybullet',
        'pydantic>=2',
        'PyYAML',
        'ruckig',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    zip_safe=False,
)
