"""What an evaluation found, in words and numbers for a terminal."""

from collections.abc import Mapping, Sequence

from ibc_bringup.evaluation import Evaluation
from ibc_bringup.report import success_text
from implicit_bc.evaluation_summary import Summary
from implicit_bc.paired import Paired

MOST_SEEDS = 8
"""So many seeds of a failure are told, so that they can be looked at."""


def summary_text(name: str, task: str, summary: Summary) -> str:
    """Tell how a policy did, one figure per line."""
    low, high = summary.score95
    lines = [
        ('success', success_text(summary.to_dict())),
        ('score', f'{summary.score:.2f} [{low:.2f}, {high:.2f}]'),
    ]
    if times := summary.time_to_success_s:
        lines.append(('time to success', f'{times["mean"]:.1f} s, median {times["median"]:.1f} s'))
    lines.append(('safety gate', _gate(summary.interventions)))
    for failure, count in summary.failures.items():
        seeds = [episode.seed for episode in summary.rollouts if episode.failure == failure]
        lines.append(('failed', f'{count}: {failure} (seeds {_some(seeds)})'))
    if summary.endings:
        endings = ', '.join(f'{count} {how}' for how, count in summary.endings.items())
        lines.append(('', endings))
    head = (
        f'{name} on {task}: {summary.episodes} episodes from seed {summary.seed} '
        f'in {summary.seconds:.0f} s'
    )
    return '\n'.join([head, *(f'  {what:<16}{text}' for what, text in lines)]) + '\n'


def evaluation_text(found: Evaluation) -> str:
    """Tell all that was measured."""
    first, second = found.first, found.second
    text = summary_text(first.name, first.task, first.summary)
    if second is not None:
        text += summary_text(second.name, second.task, second.summary)
        if first.ros:
            rates = 'agree: their' if found.rates_agree else 'do not agree: no'
            text += f'success through ROS and in-process {rates} intervals overlap\n'
        if found.paired is not None:
            text += paired_text(first.name, second.name, found.paired)
    if found.interrupted:
        text += 'interrupted: the first episodes only\n'
    return text + f'{found.folder}\n'


def paired_text(first: str, second: str, paired: Paired) -> str:
    """Tell in how many episodes each of two policies succeeded, and whether that says anything."""
    table = (
        f'{paired.episodes} episodes of both: both succeeded in {paired.both}, {first} alone in '
        f'{paired.first_only}, {second} alone in {paired.second_only}, neither in {paired.neither}'
    )
    return f'{table}\n{verdict(first, second, paired)}\n'


def verdict(first: str, second: str, paired: Paired) -> str:
    """Say in one line whether two policies differ significantly."""
    low, high = paired.score_difference95
    score = f'score {paired.score_difference:+.3f} [{low:+.3f}, {high:+.3f}]'
    if paired.success_differs:
        better, worse = _ordered(first, second, paired.first_only > paired.second_only)
        return (
            f'{better} succeeds significantly more often than {worse}: '
            f'p = {paired.p_value:.2g}, {score}'
        )
    if paired.score_differs:
        better, worse = _ordered(first, second, paired.score_difference > 0)
        return (
            f'{better} scores significantly higher than {worse}: {score}; success does not differ '
            f'significantly: p = {paired.p_value:.2g}'
        )
    return f'no significant difference: p = {paired.p_value:.2g}, {score}'


def _gate(interventions: Mapping[str, float]) -> str:
    if not interventions:
        return 'no interventions'
    kinds = ', '.join(f'{kind} {count:.2g}' for kind, count in interventions.items())
    return f'{sum(interventions.values()):.2g} interventions per episode: {kinds}'


def _some(seeds: Sequence[int]) -> str:
    return ', '.join(map(str, seeds[:MOST_SEEDS])) + ', ...' * (len(seeds) > MOST_SEEDS)


def _ordered(first: str, second: str, first_is_better: bool) -> tuple[str, str]:
    return (first, second) if first_is_better else (second, first)
