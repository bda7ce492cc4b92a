from setuptools import find_packages, setup

NAME = 'realsense_capture'

setup(
    name=NAME,
    version='0.1.0',
    description='Camera node: RealSense device, recorded file or the twin, behind one set of topics.',
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
        'PyYAML',
        'pyrealsense2',
        'pydantic>=2',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    entry_points={
        'console_scripts': [
            'realsense_capture = realsense_capture.node:main',
        ],
    },
    zip_safe=False,
)
