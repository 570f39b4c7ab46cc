/** Two runs side by side, as data: which words differ, which experts a token had, and how many. */
import type { TokenRoutes } from '../../src/engine/api.ts';

/** A token of a run's text. */
export interface RunToken {
  readonly text: string;
  readonly isPrompt: boolean;
}

/** A text under a rule. */
export interface Run {
  readonly tokens: readonly RunToken[];
  readonly routes: readonly TokenRoutes[]; // of the tokens that were read: the last one written was not
}

/** A word of a continuation, as the tokens from `from` to before `to` make it; no word begins with a space. */
interface Word {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** Of each token, whether it belongs to a word of the continuation that the other one has not at this place. */
export function markDifferences(run: Run, other: Run): { isDifferent: boolean[]; words: number; of: number } {
  const [mine, theirs] = [wordsOf(run), wordsOf(other)];
  const common = commonWords(mine, theirs);
  const isDifferent = run.tokens.map(() => false);
  const own = mine.filter((_, index) => !common.has(index));
  for (const { from, to } of own) isDifferent.fill(true, from, to);
  return { isDifferent, words: own.length, of: mine.length };
}

/** The first token at which two texts are not the same; undefined: they never part. */
export function firstDifference(a: Run, b: Run): number | undefined {
  const length = Math.max(a.tokens.length, b.tokens.length);
  const found = Array.from({ length }, (_, index) => index).find(
    (index) => a.tokens[index]?.text !== b.tokens[index]?.text,
  );
  return found;
}

function wordsOf({ tokens }: Run): Word[] {
  const words: Word[] = [];
  tokens.forEach(({ text, isPrompt }, index) => {
    if (isPrompt) return;
    const last = words.at(-1);
    if (last && !/^\s/.test(text))
      words[words.length - 1] = { ...last, text: last.text + text, to: index + 1 };
    else words.push({ text: text.trimStart(), from: index, to: index + 1 });
  });
  return words;
}

/** Indexes of the words of a longest common sequence. */
function commonWords(mine: readonly Word[], theirs: readonly Word[]): Set<number> {
  // lengths[i][j]: of the longest sequence that the words from i and from j on have in common
  const lengths = Array.from({ length: mine.length + 1 }, () => new Uint16Array(theirs.length + 1));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  const isSame = (i: number, j: number): boolean => mine[i]?.text === theirs[j]?.text;
  for (let i = mine.length - 1; i >= 0; i--) {
    for (let j = theirs.length - 1; j >= 0; j--) {
      const longest = isSame(i, j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      lengths[i]?.fill(longest, j, j + 1);
    }
  }
  const common = new Set<number>();
  for (let i = 0, j = 0; i < mine.length && j < theirs.length;) {
    if (isSame(i, j)) {
      common.add(i);
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return common;
}

/** An expert that a token had. */
export interface Chosen {
  readonly expert: number;
  readonly weight: number;
}

/** The experts of a token in a layer, in the order of the rule; undefined: the token was not read. */
export function chosenBy(run: Run, token: number, layer: number): readonly Chosen[] | undefined {
  const routes = run.routes[token];
  const weights = routes?.weights[layer];
  return routes?.ids[layer]?.map((expert, rank) => ({ expert, weight: weights?.[rank] ?? 0 }));
}

/** "4.0 experts in a layer on average". */
export function expertsPerToken(run: Run): number {
  const counts = run.routes.flatMap(({ ids }) => ids.map((layer) => layer.length));
  return counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length);
}

const MOST_NAMED = 8;

/** "3 with 0.41, 7 with 0.30": a choice in words. */
export function describeChoice(chosen: readonly Chosen[] | undefined): string {
  if (!chosen) return 'not read';
  if (chosen.length === 0) return 'none';
  const sorted = chosen.toSorted((x, y) => y.weight - x.weight);
  const named = sorted
    .slice(0, MOST_NAMED)
    .map(({ expert, weight }) => `${expert} (${formatWeight(weight)})`);
  const more = sorted.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

export function formatWeight(weight: number): string {
  return weight !== 0 && Math.abs(weight) < 0.005 ? weight.toExponential(0) : weight.toFixed(2);
}

/** A token by its letters; one of spaces and line ends by signs for them. */
export function nameToken(text: string | undefined): string {
  if (text === undefined) return 'nothing';
  if (text === '') return 'the beginning';
  return `“${text.trim() || text.replaceAll('\n', '↵').replaceAll(' ', '␣')}”`;
}
