"""The loop's result for people: a table for the terminal and an HTML page."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ibc_bringup.plots import success_bars, training_curves
from ibc_bringup.report import Report, Section, Table, date_text, duration_text, success_text
from ibc_bringup.ros_trials import RESULTS as TRIALS
from ibc_bringup.ros_trials import trials_section
from ibc_bringup.training_run import TrainingRun, open_run
from ibc_bringup.trials import read_trials
from implicit_bc.bundle_files import read_description
from implicit_bc.training.run_log import read_metrics

BASELINES = {'random': 'random moves', 'nothing': 'doing nothing'}
"""What any trained policy must beat, and what people call it."""
RIVALS = {**BASELINES, 'demonstrator': 'demonstrator'}
ORDER = ('record', 'generate', 'verify', 'train', 'trained', *RIVALS, 'run')

Results = Mapping[str, Mapping[str, Any]]


def write_loop_report(folder: Path, plan: Mapping[str, Any], results: Results) -> Path:
    """Write the page; return its path."""
    run = open_run(folder / plan['task'])
    made = read_description(run.bundle)['provenance']
    rates = [
        (label, results[name]['success_rate'], *results[name]['wilson95'])
        for name, label in {'trained': 'trained policy', **RIVALS}.items()
    ]
    total = sum(result['seconds'] for result in results.values())
    sections = (
        trials_section(read_trials(folder / TRIALS), folder, 'The trained policy over ROS 2'),
        Section('What was done', table=loop_table(results), figure_svg=success_bars(rates)),
        training_section(run, made),
        Section('Plan', facts=plan),
        Section('Configuration of the training', facts=run.facts()),
        Section('Versions and machine', facts={**made['versions'], **made['machine']}),
    )
    shown = sum(results[name]['episodes'] for name in ('record', 'generate') if name in results)
    trained = results['trained']
    last = trained['seed'] + trained['episodes'] - 1
    return Report(
        f'Loop: {plan["task"]}',
        [
            date_text(),
            f'took {duration_text(total)}',
            f'seed {plan["seed"]}',
            f'evaluated on layouts of seeds {trained["seed"]} to {last}',
        ],
        f'From nothing to a policy: {shown} demonstrations, '
        f'{duration_text(results["train"]["seconds"])} of training, then '
        f'{trained["episodes"]} layout{"s" * (trained["episodes"] > 1)} that it had not seen.',
        _headline(results),
        sections,
        doubt(results),
    ).write(folder / 'report.html')


def _headline(results: Results) -> dict[str, str]:
    """Success rates, each with what it is of."""
    trained = results['trained']
    low, high = trained['wilson95']
    label = f'success of the trained policy, 95 % interval [{low:.2f}, {high:.2f}]'
    rates = {label: f'{trained["success_rate"]:.2f}'}
    for name, rival in RIVALS.items():
        article = '' if name in BASELINES else 'the '
        rates[f'success of {article}{rival}'] = f'{results[name]["success_rate"]:.2f}'
    return rates


def training_section(run: TrainingRun, made: Mapping[str, Any]) -> Section:
    """Show how the training went; `made` is the bundle's provenance."""
    text = f'{made["steps"]} steps in {duration_text(made["seconds"])}.'
    negatives = run.config.method.counter_examples
    if negatives:
        text += (
            f' Guessing among the demonstrated action and {negatives} others would score the '
            'dashed line.'
        )
    if made['metrics']:
        text += (
            ' Validation is on episodes that were held out; the action error is the distance of '
            'the move that the policy finds from the one that was shown.'
        )
    curves = training_curves(
        read_metrics(run.folder),
        'InfoNCE loss' if negatives else 'loss',
        chance=math.log(negatives + 1) if negatives else None,
    )
    return Section('Training', text, figure_svg=curves)


def doubt(results: Results) -> str:
    """Say why nothing may have been learned; empty if the trained policy beats the baselines.

    It does where the 95 % interval of the difference, made of the two Wilson intervals (R. G.
    Newcombe, 1998), lies above zero.
    """
    best = max(BASELINES, key=lambda name: results[name]['success_rate'])
    trained, baseline = results['trained'], results[best]
    rate, rival = trained['success_rate'], baseline['success_rate']
    spread = math.hypot(rate - trained['wilson95'][0], baseline['wilson95'][1] - rival)
    if rate - rival > spread:
        return ''
    numbers = f'success {success_text(trained)} against {success_text(baseline)}'
    if rate <= rival:
        return (
            f'the trained policy is no better than {BASELINES[best]}: {numbers}; give it more '
            'demonstrations (--generated) or a longer training (--train-seconds)'
        )
    return (
        f'the trained policy is not clearly better than {BASELINES[best]}: {numbers}; evaluate '
        'more episodes (--evaluated) to know'
    )


def loop_table(results: Results) -> Table:
    """One row per part: episodes, steps, seconds, success with its Wilson interval."""
    data_steps = results['train']['data_steps']
    steps = {
        'record': data_steps['recorded'],
        'generate': data_steps['generated'],
        'train': f'{results["train"]["steps"]} updates',
    }
    labels = {
        'record': 'recorded through ROS 2',
        'generate': 'generated in-process',
        'verify': 'bags verified',
        'train': 'training',
        'trained': 'trained policy, evaluated',
        **{name: f'{label}, evaluated' for name, label in RIVALS.items()},
        'run': 'trained policy through ROS 2',
    }
    rows = []
    for name in (name for name in ORDER if name in results):
        result = results[name]
        success = success_text(result) if 'wilson95' in result else ''
        if 'successes' in result:
            tried = result['episodes']
            success = f'{result["successes"]} of {tried}' if tried else 'none was finished'
        rows.append(
            (
                labels[name],
                str(result['episodes']),
                str(steps.get(name, result.get('steps', ''))),
                f'{result["seconds"]:.0f}',
                success,
            )
        )
    return Table(('part', 'episodes', 'steps', 'seconds', 'success [95 % interval]'), rows)
