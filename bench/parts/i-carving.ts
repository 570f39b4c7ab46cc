/** A trained dense model carved into experts: its loss with all of them, and with shares of them, beside carvings that know nothing. */
import { readFileSync } from 'node:fs';
import { LocalEngine } from '../../src/engine/engine.ts';
import { draftModel, type Drafted } from '../../src/engine/load/planning.ts';
import type { Carving } from '../../src/engine/load/reshaped-model.ts';
import { Calibration } from '../../src/engine/reshape/calibrate.ts';
import { carvable, carved, inOrder, type Division } from '../../src/engine/reshape/carve.ts';
import { storiesFolder } from '../../src/engine/reshape/carve.testing.ts';
import { divideByUse } from '../../src/engine/reshape/divide.ts';
import { uniform } from '../../src/engine/talk/random.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { nllOf, written } from '../loss.ts';
import { say, table, type PartResult } from '../report.ts';

const TEXT_OF = 'demo/public/models/fable-moe-12m'; // ids of stories that it has not seen
const EXPERTS = 43; // the only number of fours that divides 172 neurons
const SEEDS = [1, 2, 3];

/** Experts for all tokens, and of the others for each. */
const SHARES = [
  { shared: 11, active: 32 },
  { shared: 16, active: 16 },
  { shared: 11, active: 11 },
  { shared: 5, active: 6 },
];

/** The validation text of a demo model in the tokens of the stories' tokenizer. */
async function readTexts(
  stories: LocalEngine,
  windowTokens: number,
): Promise<{ readonly calibration: number[][]; readonly evaluation: number[][] }> {
  const { perplexity } = JSON.parse(readFileSync(`${TEXT_OF}/golden.json`, 'utf8')) as {
    readonly perplexity: { readonly ids: number[]; readonly window: number };
  };
  const fable = await LocalEngine.open({ device: 'cpu', threads: 1 });
  await fable.load(await nodeFolder(TEXT_OF));
  const { ids, window } = perplexity;
  const texts = Array.from({ length: ids.length / window }, (_, at) =>
    fable.tokenizer!.decode(ids.slice(at * window, (at + 1) * window)),
  );
  fable.dispose();
  const windows = texts.map((text) => stories.tokenizer!.encode(text).slice(0, windowTokens));
  const half = windows.length >> 1;
  return { calibration: windows.slice(0, half), evaluation: windows.slice(half) };
}

/** Neurons in an order by chance, cut into experts. */
function byChance(width: number, carving: Carving, seed: number): Division {
  const order = Array.from({ length: width }, (_, neuron) => neuron).toSorted(
    (a, b) => uniform(seed, a) - uniform(seed, b),
  );
  const { shared, routed } = inOrder(width, carving);
  const pick = (places: readonly number[]) => places.map((at) => order[at] ?? 0);
  const experts = routed.map(pick);
  return { shared: pick(shared), routed: experts, leaders: experts.map(([first = 0]) => first) };
}

async function lossOf(
  drafted: Drafted,
  carving: Carving,
  divisions: readonly Division[],
  windows: readonly (readonly number[])[],
): Promise<number> {
  return nllOf(await written(carved(drafted, carving, divisions)), windows);
}

/** Measures the loss of each carving. */
export async function carvingStudy(): Promise<PartResult> {
  const folder = await storiesFolder();
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  await engine.load(folder);
  const { calibration: texts, evaluation } = await readTexts(engine, 256);
  engine.dispose();
  const dense = await nllOf(folder, evaluation);
  say(`dense: ${dense.toFixed(4)}`);
  const drafted = await draftModel(folder, {});
  const calibration = await Calibration.open(drafted);
  const losses: Record<string, number[]> = { 'by use': [], 'in their order': [], 'by chance': [] };
  const chances: number[][] = [];
  for (const share of SHARES) {
    const carving: Carving = { experts: EXPERTS, ...share };
    const widths = carvable(drafted, carving).map(({ width }) => width);
    const loss = (divisions: readonly Division[]) => lossOf(drafted, carving, divisions, evaluation);
    losses['by use']?.push(await loss(await divideByUse(drafted, carving, calibration, { texts })));
    losses['in their order']?.push(await loss(widths.map((width) => inOrder(width, carving))));
    const random: number[] = [];
    for (const seed of SEEDS)
      random.push(await loss(widths.map((width, layer) => byChance(width, carving, 100 * seed + layer))));
    chances.push(random);
    losses['by chance']?.push(random.reduce((sum, each) => sum + each, 0) / random.length);
    say(
      `${share.shared} shared, ${share.active} active: ${Object.values(losses)
        .map((all) => all.at(-1)?.toFixed(4))
        .join(', ')}`,
    );
  }
  drafted.checkpoint.dispose();
  const heads = SHARES.map(({ shared, active }) => {
    const share = (100 * (shared + active)) / EXPERTS;
    return `${share.toFixed(0)} % (${shared} + ${active})`;
  });
  const cell = (value: number) => `${value.toFixed(3)} (${Math.exp(value).toFixed(2)})`;
  const rows = [
    ['dense', ...SHARES.map((_, at) => (at === 0 ? cell(dense) : ''))],
    ...Object.entries(losses).map(([name, all]) => [`carved ${name}`, ...all.map(cell)]),
  ];
  const spread = Math.max(...chances.flatMap((all) => all.map((each) => each - Math.min(...all))));
  const difference = Math.max(...Object.values(losses).map(([all = NaN]) => Math.abs(all - dense)));
  const markdown =
    `**Carving** (\`npx atomoe carve\`, paper 91, arXiv:2502.04416) of stories260K, a trained dense model of 5 layers with MLPs of 172 neurons: ${EXPERTS} experts of 4 ` +
    `neurons each, nothing trained. Loss in nats per token (perplexity) on ${evaluation.flat().length} tokens of the validation text that comes with fable-moe-12m; ` +
    `other ${texts.flat().length} tokens of it divide the neurons by use. Columns: share of the MLPs' weights for a token (shared + active experts). With all experts ` +
    `the loss is the dense model's up to ${difference.toExponential(0)}. By chance: mean of ${SEEDS.length} divisions, which differ by up to ${spread.toFixed(3)}. The paper carves ` +
    'a model of 7 billion parameters in five minutes and fine-tunes it in less than an hour; without that the loss is what is shown here.\n\n' +
    table(['MLPs divided', ...heads], rows);
  return { markdown, results: { dense, losses, chances, shares: SHARES } };
}
