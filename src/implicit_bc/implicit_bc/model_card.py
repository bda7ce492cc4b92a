"""The README.md of a bundle."""

from collections.abc import Mapping
from typing import Any


def model_card(name: str, description: Mapping[str, Any]) -> str:
    """Write the model card of bundle `name` from its `policy.yaml`."""
    made, contract = description['provenance'], description['contract']
    lines = [
        f'# {name}',
        '',
        f'Policy trained by `{description["method"]["kind"]}`, for {_words(description["tasks"])}.',
        '',
        '## Measured',
        '',
        *_results(description.get('results') or {}),
        '',
        '## Interface',
        '',
        f'- contract `{contract["name"]}` version {contract["version"]} '
        f'(`{description["contract_hash"]}`): a step every {contract["period_s"]} s, '
        f'{contract["history"]} samples of {_observation(contract["observation"])}'
        f'{_history(description["network"].get("history"))}',
        f'- action: move of the setpoint in the plane of `link_base` [m], between '
        f'{_numbers(description["scaling"]["bounds"]["low"])} and '
        f'{_numbers(description["scaling"]["bounds"]["high"])}',
        '',
        '## Made from',
        '',
        *_provenance(made),
    ]
    return '\n'.join(lines) + '\n'


def _results(results: Mapping[str, Any]) -> list[str]:
    if not results:
        return ['Not evaluated yet: `ibc eval` does it.']
    rows = ['| task | success | 95 % interval | mean score | episodes | first seed |']
    rows.append('|---|---|---|---|---|---|')
    for task, summary in results.items():
        low, high = summary['wilson95']
        rows.append(
            f'| {task} | {summary["success_rate"]:.1%} | {low:.1%} to {high:.1%} '
            f'| {summary["score"]:.3f} | {summary["episodes"]} | {summary["seed"]} |'
        )
    return rows


def _observation(observation: Mapping[str, Any]) -> str:
    if observation['kind'] == 'image':
        return f'the RGB camera image at {observation["width_px"]}x{observation["height_px"]}'
    return f'the setpoint and the poses of {observation["objects"]} objects'


def _history(seen: int | None) -> str:
    if seen is None:
        return ''
    return f'; the network looks at the newest {"one" if seen == 1 else seen}'


def _provenance(made: Mapping[str, Any]) -> list[str]:
    if not made:
        return ['Unknown.']
    training, machine = made['training'], made['machine']
    versions = ', '.join(f'{name} {version}' for name, version in made['versions'].items())
    device = machine['gpu'] or f'{machine["processor"]}, {machine["threads"]} threads'
    metrics = ', '.join(f'{name} {value:.3g}' for name, value in made['metrics'].items())
    return [
        f'- dataset `{made["dataset_hash"]}`: {made["episodes"]} episodes, '
        f'{made["dataset_steps"]} steps',
        f'- {made["steps"]} training steps of {training["batch_size"]} observations'
        f'{_negatives(training["method"])}, seed {training["seed"]}, '
        f'{made["seconds"] / 60:.1f} min on {device}'
        f'{_beginning(training.get("initial_model"))}',
        f'- on held-out episodes: {metrics or "not measured"}',
        f'- {versions}; {made["created"]}',
    ]


def _beginning(model: str | None) -> str:
    return f', begun with the weights of `{model}`' if model else ''


def _negatives(method: Mapping[str, Any]) -> str:
    return f' x (1 + {method["negatives"]}) actions' if 'negatives' in method else ''


def _words(tasks: list[str]) -> str:
    return ', '.join(f'`{task}`' for task in tasks) or 'no named task'


def _numbers(values: list[float]) -> str:
    return '(' + ', '.join(f'{value:.4f}' for value in values) + ')'
