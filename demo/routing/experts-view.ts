/** The experts of one layer for one token, under both rules: weights as bars and numbers, and what to do to an expert. */
import { button, element } from '../notices.ts';
import { formatWeight } from './compare.ts';
import type { Pair } from './layers-view.ts';
import { MODEL, type Edit } from './rules.ts';

/** Scores of all experts under both rules, by expert. */
export type Scores = readonly [readonly number[] | undefined, readonly number[] | undefined];

const KINDS = [
  ['mute', 'Mute'],
  ['steer', 'Steer'],
] as const;

export class ExpertsView {
  readonly #body: HTMLTableSectionElement;
  readonly #next: HTMLElement;
  readonly #onEdit: (expert: number, kind: Edit['kind']) => void;

  /**
   * @param next - takes the focus where the pressed button's row is gone
   * @param onEdit - turns an edit of the second rule on or off
   */
  constructor(
    body: HTMLTableSectionElement,
    next: HTMLElement,
    onEdit: (expert: number, kind: Edit['kind']) => void,
  ) {
    this.#body = body;
    this.#next = next;
    this.#onEdit = onEdit;
  }

  /** All experts where their scores are known; else those that a rule has chosen or that are muted or steered. */
  show(pair: Pair, edits: readonly Edit[], scores: Scores | undefined): void {
    const weights = pair.map((chosen) => new Map(chosen?.map(({ expert, weight }) => [expert, weight])));
    const most = Math.max(...weights.flatMap((each) => [...each.values()]), 1e-9);
    const experts = Array.from({ length: MODEL.experts }, (_, expert) => expert).filter(
      (expert) =>
        scores !== undefined ||
        weights.some((each) => each.has(expert)) ||
        edits.some((edit) => edit.expert === expert),
    );
    const focused = document.activeElement?.id;
    this.#body.replaceChildren(
      ...experts.map((expert) => {
        const isMuted = edits.some((edit) => edit.expert === expert && edit.kind === 'mute');
        const cells = weights.map((each, side) => {
          const absent = isMuted && side === 1 ? 'muted' : 'not chosen';
          return weightCell({
            weight: each.get(expert),
            most,
            score: scores?.[side]?.[expert],
            side,
            absent,
          });
        });
        const head = element('th', '', String(expert));
        head.scope = 'row';
        const buttons = KINDS.map(([kind, name]) => this.#button(expert, kind, name, edits));
        return element('tr', '', head, ...cells, element('td', 'edits', ...buttons));
      }),
    );
    // The button that was pressed is a new one now.
    if (focused?.startsWith('edit-')) (document.getElementById(focused) ?? this.#next).focus();
  }

  #button(expert: number, kind: Edit['kind'], name: string, edits: readonly Edit[]): HTMLElement {
    const made = button(name, () => this.#onEdit(expert, kind), 'quiet-button');
    made.id = `edit-${kind}-${expert}`;
    made.setAttribute('aria-label', `${name} expert ${expert}`);
    made.setAttribute(
      'aria-pressed',
      String(edits.some((edit) => edit.expert === expert && edit.kind === kind)),
    );
    return made;
  }
}

function weightCell({
  weight,
  most,
  score,
  side,
  absent,
}: {
  readonly weight: number | undefined;
  readonly most: number; // the weight of the longest bar
  readonly score: number | undefined;
  readonly side: number;
  readonly absent: string; // in place of a weight
}): HTMLElement {
  const bar = element('span', side === 0 ? 'weight first' : 'weight second');
  bar.ariaHidden = 'true';
  bar.style.inlineSize = `${Math.min(100, ((weight ?? 0) / most) * 100)}%`;
  const number = element('span', '', weight === undefined ? absent : formatWeight(weight));
  if (weight === undefined) number.className = 'quiet';
  const lines = score === undefined ? [] : [element('span', 'quiet', `score ${formatWeight(score)}`)];
  return element('td', '', number, ...(weight === undefined ? [] : [bar]), ...lines);
}
