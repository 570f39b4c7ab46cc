/**
 * (h) Routing by itself: how unevenly experts are used, how long a choice of them lasts, and which of them can go. Runs in Node, on recorded
 * routes and on the trained models of the demo.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { draftModel } from '../../src/engine/load/planning.ts';
import { Calibration } from '../../src/engine/reshape/calibrate.ts';
import { groupExperts, merged } from '../../src/engine/reshape/merge.ts';
import { pruned } from '../../src/engine/reshape/prune.ts';
import {
  mostSalient,
  rankCorrelation,
  saliencyOf,
  SALIENCY_NAMES,
  sharedPart,
  type ExpertUse,
} from '../../src/experts/study/saliency.ts';
import { study, type SizeStudy, type Study } from '../../src/experts/study/study.ts';
import { parseTrace } from '../../src/experts/study/trace-file.ts';
import { mapTrace, type RoutingTrace } from '../../src/experts/study/trace.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { nllOf, written } from '../loss.ts';
import { digits, say, table, type PartResult } from '../report.ts';
import { placementStudy, type PlacedTrace } from './h-placement.ts';

const RATIOS = [1, 2, 4];
const POLICIES = ['lru', 'lfru', 'ema', 'segment-lookahead', 'belady'] as const;
const KEPT = [24, 16, 8];
const MODELS = 'demo/public/models';

/** Half of the validation text judges the experts, the other half the models. */
interface Text {
  readonly calibration: readonly (readonly number[])[];
  readonly evaluation: readonly (readonly number[])[];
}

function readText(model: string): Text {
  const { perplexity } = JSON.parse(readFileSync(`${MODELS}/${model}/golden.json`, 'utf8'));
  const { ids, window }: { ids: number[]; window: number } = perplexity;
  const windows = Array.from({ length: ids.length / window }, (_, index) =>
    ids.slice(index * window, (index + 1) * window),
  );
  const half = windows.length >> 1;
  return { calibration: windows.slice(0, half), evaluation: windows.slice(half) };
}

function recorded(name: string): RoutingTrace {
  return parseTrace(gunzipSync(readFileSync(`fixtures/traces/${name}.route.csv.gz`)).toString(), name);
}

/** Runs the part. */
export async function routingStudy(): Promise<PartResult> {
  const traces: [string, RoutingTrace][] = [
    ['Qwen3-30B-A3B', recorded('qwen')],
    ['gpt-oss-120b', recorded('gptoss')],
  ];
  const placed = traces.map(([name, trace]): PlacedTrace => ({
    name,
    trace,
    recordBytes: trace.unitBytes[0] ?? 0,
  }));
  for (const model of ['fable-moe-12m', 'fable-omni-8m']) {
    say(`routes of ${model}`);
    const drafted = await draftModel(await nodeFolder(`${MODELS}/${model}`), {});
    const calibration = await Calibration.open(drafted);
    const trace = await calibration.trace(readText(model).calibration);
    traces.push([model, trace]);
    const { unitsPerLayer = 1, recordBytes = 1 } = drafted.experts ?? {};
    const perUnit = trace.units / unitsPerLayer;
    const name = perUnit === 1 ? model : `${model} in ${unitsPerLayer} pages`;
    const inUnits = mapTrace(trace, unitsPerLayer, (_, expert) => Math.floor(expert / perUnit));
    placed.push({ name, trace: inUnits, recordBytes });
    drafted.checkpoint.dispose();
  }
  const studies: [string, RoutingTrace, Study][] = [];
  for (const [name, trace] of traces) {
    say(`study of ${name}`);
    studies.push([name, trace, await study(trace, POLICIES, RATIOS)]);
  }
  say('placement');
  const placement = placementStudy(placed, RATIOS);
  const saliency = await studySaliency();
  const texts = [
    concentrationText(studies),
    localityText(studies),
    policyText(studies),
    placement.markdown,
    saliency.markdown,
  ];
  const markdown = texts.join('\n\n');
  const results = {
    routing: Object.fromEntries(
      studies.map(([name, , { segments, concentration, sizes }]) => [
        name,
        { segments, concentration, hitRates: sizes.map(hitRates) },
      ]),
    ),
    placement: placement.results,
    saliency: saliency.results,
  };
  return { markdown, results };
}

function concentrationText(studies: readonly [string, RoutingTrace, Study][]): string {
  const rows = studies.map(([name, { steps, layers, units, topK }, { concentration }]) => [
    name,
    steps,
    `${layers} x ${units}, ${topK}`,
    concentration.gini.toFixed(2),
    `${digits(100 * concentration.topFive)} %`,
    `${digits(100 * concentration.half)} %`,
    concentration.kept.toFixed(2),
  ]);
  const heads = [
    'trace',
    'tokens',
    'layers x experts, used',
    'Gini',
    'five with most',
    'experts with half',
    'kept',
  ];
  return (
    '**Concentration** (paper 99, arXiv:2601.03425), means over layers. Gini coefficient of the uses of experts; the share of uses that ' +
    'the five most used experts have; the fewest experts with half of the uses, of all; and the Jaccard index of the most used experts ' +
    '(as many as a token uses) in the two halves of the text. Traces count uses; the paper weighs them. It reports a compact committee ' +
    'with the majority of routing mass in all domains of MMLU in three models; by a summary of it, not checked here, Gini is often above ' +
    '0.9, and committees of 2 to 5 experts have up to 70 %, with a Jaccard index of about 0.87 between domains.\n\n' +
    table(heads, rows)
  );
}

function localityText(studies: readonly [string, RoutingTrace, Study][]): string {
  const percent = (share: number | null | undefined) =>
    share === null || share === undefined ? '' : (100 * share).toFixed(1);
  const rows = studies.flatMap(([name, , { segments }]) =>
    segments.map(({ tokens, routing, fixed, cache }) => [
      name,
      tokens,
      percent(routing?.f1),
      routing?.ratio.toFixed(2) ?? '',
      ...fixed.map(({ f1 }) => percent(f1)),
      ...cache.map(({ hitRate }) => percent(hitRate)),
    ]),
  );
  const heads = [
    'trace',
    'm',
    'SRP',
    'its size',
    ...RATIOS.map((ratio) => `SRP(m, ${ratio})`),
    ...RATIOS.map((ratio) => `SCH(m, ${ratio})`),
  ];
  return (
    '**Local routing consistency** (paper 44, arXiv:2505.16056), %. SRP(m, c): F1 of the best fixed experts of each layer for m tokens; ' +
    'SRP without c takes the best threshold of uses, and its size follows. SCH(m, c): hit rate of one pool that keeps what the next m tokens use ' +
    'most. Sizes c are in units of the experts of a token. The paper finds that most of 20 models balance hits and size at about twice the ' +
    'experts of a token.\n\n' +
    table(heads, rows)
  );
}

function hitRates({ ratio, policies }: SizeStudy) {
  return { ratio, ...Object.fromEntries(POLICIES.map((name) => [name, policies[name]?.hitRate])) };
}

function policyText(studies: readonly [string, RoutingTrace, Study][]): string {
  const rows = studies.flatMap(([name, , { sizes }]) =>
    sizes.map((size) => [
      name,
      size.ratio,
      ...POLICIES.map((policy) => (100 * (size.policies[policy]?.hitRate ?? NaN)).toFixed(1)),
    ]),
  );
  return (
    '**Policies**: hit rates of caches with as many places in each layer, %. The first three look back; `segment-lookahead` (paper 44) knows the ' +
    'next 16 tokens, as it does in an engine where routes are replayed; `belady` knows all.\n\n' +
    table(['trace', 'c', ...POLICIES], rows)
  );
}

async function studySaliency(): Promise<PartResult> {
  const model = 'fable-moe-12m';
  const folder = await nodeFolder(`${MODELS}/${model}`);
  const { calibration: texts, evaluation } = readText(model);
  const drafted = await draftModel(folder, {});
  const calibration = await Calibration.open(drafted);
  say('saliency');
  const use = await calibration.expertUse(texts);
  const rows: (string | number)[][] = [];
  const nll: Record<string, number> = { whole: await nllOf(folder, evaluation) };
  for (const name of [...SALIENCY_NAMES, 'first ids'] as const) {
    const losses: string[] = [];
    for (const count of KEPT) {
      const kept = use.map((sums) =>
        name === 'first ids'
          ? sums.uses.subarray(0, count).map((_, id) => id)
          : mostSalient(saliencyOf(sums, name), count),
      );
      const loss = await nllOf(
        await written(
          pruned(
            drafted,
            kept.map((ids) => [...ids]),
          ),
        ),
        evaluation,
      );
      nll[`${name} ${count}`] = loss;
      losses.push(loss.toFixed(3));
      say(`${name}, ${count} experts: ${loss.toFixed(3)}`);
    }
    rows.push([`pruned by ${name}`, ...losses]);
  }
  const losses: string[] = [];
  for (const count of KEPT) {
    const groups = await groupExperts(drafted, calibration, count, { texts });
    const loss = await nllOf(await written(merged(drafted, groups)), evaluation);
    nll[`merged ${count}`] = loss;
    losses.push(loss.toFixed(3));
    say(`merged into ${count}: ${loss.toFixed(3)}`);
  }
  rows.push(['merged', ...losses]);
  const agreement = agreementOf(use);
  drafted.checkpoint.dispose();
  const markdown =
    `**Saliency** (papers 31 and 140) of ${model}: 32 experts, 4 used, judged by ${texts.flat().length} tokens of the validation text; loss in nats ` +
    `per token on ${evaluation.flat().length} others, ${(nll['whole'] ?? 0).toFixed(3)} with all experts. REAP (arXiv:2510.13999) reports nearly lossless ` +
    'pruning of half of the experts of models from 20 to 1000 billion parameters, and that merging does worse; EASY-EP (arXiv:2504.06792) equal quality and 2.99 times ' +
    'the throughput with half of the experts of DeepSeek-R1, for one domain. The model here is small and its text one domain.\n\n' +
    table(['experts left', ...KEPT.map(String)], rows) +
    '\n\nAgreement of the measures, means over layers:\n\n' +
    table(
      ['measures', 'rank correlation', 'same of 16 kept'],
      agreement.map(({ names, correlation, shared }) => [
        names.join(' and '),
        correlation.toFixed(2),
        `${digits(100 * shared)} %`,
      ]),
    );
  return { markdown, results: { nll, agreement } };
}

function agreementOf(use: readonly ExpertUse[]) {
  const pairs = SALIENCY_NAMES.flatMap((a, index) =>
    SALIENCY_NAMES.slice(index + 1).map((b) => [a, b] as const),
  );
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return pairs.map(([a, b]) => ({
    names: [a, b],
    correlation: mean(use.map((sums) => rankCorrelation(saliencyOf(sums, a), saliencyOf(sums, b)))),
    shared: mean(
      use.map((sums) =>
        sharedPart(mostSalient(saliencyOf(sums, a), 16), mostSalient(saliencyOf(sums, b), 16)),
      ),
    ),
  }));
}
