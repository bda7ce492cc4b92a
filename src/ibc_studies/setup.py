from setuptools import find_packages, setup

NAME = 'ibc_studies'

setup(
    name=NAME,
    version='0.1.0',
    description="The paper's simulated studies: particle and pushing environments for Gymnasium, and their oracles.",
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
        'planar_arm',
        'numpy',
        'gymnasium',
        'opencv-python',
        'pydantic>=2',
        'tqdm',
        'matplotlib',
        'PyYAML',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    zip_safe=False,
)
