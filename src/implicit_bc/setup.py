from setuptools import find_packages, setup

NAME = 'implicit_bc'

setup(
    name=NAME,
    version='0.1.0',
    description='Implicit behavioral cloning in PyTorch: energies, samplers, datasets, training, evaluation.',
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
        'torch',
        'safetensors',
        'tqdm',
        'PyYAML',
        'pydantic>=2',
        'tensorboard',
    ],
    extras_require={'test': ['pytest', 'hypothesis']},
    zip_safe=False,
)
