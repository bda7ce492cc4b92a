"""One page about trained models: what each was measured to do, and a film of it at work."""

from collections.abc import Sequence
from pathlib import Path

from ibc_bringup.bundles import ModelCard
from ibc_bringup.demo import policy_facts
from ibc_bringup.evaluation import Evaluation, EvaluationPlan, run_evaluation
from ibc_bringup.report import Report, Section, Table, date_text

PAPER_SCORE = {
    'push_red_then_green': 85.0,
    'push_red_green_multimodal': 88.3,
    'insert_blue': 83.3,
    'sort_blue_from_yellow': 48.3,
}
"""Mean score of the paper's implicit policies on its robot, of 100 (Table 6)."""


def write_models_report(
    cards: Sequence[ModelCard], folder: Path, seed: int, episodes: int, workers: int
) -> Path:
    """Film the first `episodes` layouts from `seed` on of every model; return the page's path.

    Raises:
        IbcError: A model cannot be run.
        KeyboardInterrupt: Nothing is written then but the films so far.
    """
    sections = []
    for card in cards:
        plan = EvaluationPlan(
            str(card.path),
            episodes=episodes,
            seed=seed,
            workers=workers,
            videos=folder,
            all_videos=True,
            folder=folder,
        )
        found = run_evaluation(plan)
        if found.interrupted:
            raise KeyboardInterrupt
        sections += _sections(card, found)
    return Report(
        'Models',
        [date_text(), f'films of layouts {seed} to {seed + episodes - 1}'],
        'What the policies of this repository were measured to do in the twin, and a look at each.',
        {},
        (Section('Measured', _LEGEND, models_table(cards)), *sections),
    ).write(folder / 'report.html')


_LEGEND = (
    'Success and mean score over the episodes of the last column, on layouts that were not trained '
    'on, with 95 % intervals. The paper’s are mean scores on its own robot.'
)


def models_table(cards: Sequence[ModelCard]) -> Table:
    """One row per model and task that it was measured on."""
    rows = []
    for card in cards:
        for task, result in card.results.items():
            paper = PAPER_SCORE.get(task)
            low, high = (100 * bound for bound in result['wilson95'])
            rows.append(
                (
                    card.name,
                    f'{100 * result["success_rate"]:.0f} % [{low:.0f}, {high:.0f}]',
                    f'{100 * result["score"]:.1f}',
                    f'{paper:.1f}' if paper else '',
                    str(result['episodes']),
                )
            )
    return Table(('model', 'success', 'score', "paper's score", 'episodes'), rows)


def _sections(card: ModelCard, found: Evaluation) -> list[Section]:
    """A film per episode, the first one with what is known of the model."""
    sections = []
    for episode in found.first.summary.rollouts:
        how = f'score {episode.score:.2f} after {episode.seconds or 0.0:.0f} s'
        title = f'{card.task}, layout {episode.seed}: {how}'
        film = found.folder / f'{found.first.name}-{episode.seed}.mp4'
        facts = {} if sections else policy_facts(card, card.task)
        text = '' if sections else 'What the camera of the policy sees.'
        sections.append(Section(title, text, video=film, facts=facts))
    return sections
