/** (e) Decoding with fewer expert slots than experts: what a token then costs, and where the time goes. */
import type { Runner } from '../../src/engine/run/runner.ts';
import {
  generatedIds,
  generatedModel,
  type GeneratedShape,
} from '../../src/engine/generated-model.testing.ts';
import { LocalEngine } from '../../src/engine/index.ts';
import { memoryFolder } from '../../src/io/memory.ts';
import type { FolderSource } from '../../src/io/source.ts';
import { digits, percent, say, table, withNoise, type PartResult } from '../report.ts';
import { measured, median } from '../stats.ts';

const ALL = 'all resident';
const COLD = '2, none in memory';

/** What is compared: slots of a layer over what a token needs, and bytes of experts kept in memory beside the GPU's. */
const CASES: readonly { readonly name: string; readonly ratio: number; readonly hostBudget: number }[] = [
  { name: '1', ratio: 1, hostBudget: 2 ** 30 },
  { name: '2', ratio: 2, hostBudget: 2 ** 30 },
  { name: '4', ratio: 4, hostBudget: 2 ** 30 },
  { name: '8', ratio: 8, hostBudget: 2 ** 30 },
  { name: COLD, ratio: 2, hostBudget: 0 }, // forgets the records in memory: what comes next reads all of them
  { name: ALL, ratio: Infinity, hostBudget: 2 ** 30 },
];

type Case = (typeof CASES)[number];

const ROUNDS = 5;

/** Where `run.mjs` serves the trained models. */
const MODELS = '/models/';

/** Experts as large as those of models that need streaming: 418 kB each. Routes of random weights are nearly uniform. */
const GENERATED: GeneratedShape = {
  layers: 4,
  hidden: 512,
  width: 256,
  experts: 128,
  topK: 8,
  heads: 8,
  kvHeads: 2,
  headDim: 64,
  vocab: 512,
  contextTokens: 128,
};

interface Subject {
  readonly name: string;
  readonly folder: FolderSource;
  readonly ids: readonly number[]; // forced: the same for every ratio
  readonly promptTokens: number;
}

/** A model of the demo, wholly in memory, and a text that it was not trained on. */
async function trained(name: string): Promise<Subject> {
  const files: Record<string, Uint8Array> = {};
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
    const response = await fetch(`${MODELS}${name}/${file}`);
    if (!response.ok) throw new Error(`${name}/${file}: ${response.status}`);
    files[file] = new Uint8Array(await response.arrayBuffer());
  }
  const golden = (await (await fetch(`${MODELS}${name}/golden.json`)).json()) as {
    perplexity: { ids: number[] };
  };
  return {
    name,
    folder: memoryFolder(files, name),
    ids: golden.perplexity.ids.slice(0, 96),
    promptTokens: 48,
  };
}

async function generated(): Promise<Subject> {
  const folder = await generatedModel(GENERATED, 'generated');
  return { name: 'generated', folder, ids: generatedIds(56, GENERATED.vocab, 7), promptTokens: 32 };
}

/** One round of one ratio; times and bytes are for a token. */
interface Sample {
  readonly msPerToken: number;
  readonly stallMs: number; // waiting for records
  readonly syncMs: number; // waiting for the GPU to say which are needed
  readonly copyMs: number; // handing records to the GPU
  readonly bytes: number; // handed to it
  readonly hitRate: number;
}

/** Tokens are forced, so that every ratio does the same work. */
async function oneRound(engine: LocalEngine, subject: Subject, wanted: Case): Promise<Sample> {
  const { runner } = engine;
  await resize(engine, runner, wanted);
  const copy = watchCopies(runner);
  const state = await runner.openState();
  const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
  const { ids, promptTokens } = subject;
  try {
    await runner.step(state, { ...request, ids: ids.slice(0, promptTokens), past: 0 });
    const before = await engine.streaming();
    copy.reset();
    const startedMs = performance.now();
    for (let past = promptTokens; past < ids.length; past += 1)
      await runner.step(state, { ...request, ids: ids.slice(past, past + 1), past });
    const ms = performance.now() - startedMs;
    const after = await engine.streaming();
    if (!before || !after) throw new Error('no experts');
    const tokens = ids.length - promptTokens;
    const per = (value: number) => value / tokens;
    const hits = after.hits - before.hits;
    const uses = hits + after.misses - before.misses;
    return {
      msPerToken: per(ms),
      stallMs: per(after.stallMs - before.stallMs),
      syncMs: per(after.syncMs - before.syncMs),
      copyMs: per(copy.ms),
      bytes: per(copy.bytes),
      hitRate: uses === 0 ? 1 : hits / uses,
    };
  } finally {
    state.dispose();
    copy.stop();
  }
}

async function resize(engine: LocalEngine, runner: Runner, { ratio, hostBudget }: Case): Promise<void> {
  const report = await engine.streaming();
  if (!report) throw new Error('no experts');
  const { slotsPerLayer, cacheRatio, unitsPerLayer } = report;
  const topK = Math.round(slotsPerLayer / cacheRatio);
  const slots = Math.min(unitsPerLayer, ratio * topK);
  await engine.resize({ streaming: { start: 'now', slotsPerLayer: slots, hostBudget, fill: false } });
  if (ratio === Infinity) await runner.experts?.loadAll(() => {}, undefined);
}

/** Counts what goes into expert slots, and how long handing it over takes. */
function watchCopies(runner: Runner) {
  const store = runner.experts?.store;
  if (!store) throw new Error('no experts');
  const seen = { ms: 0, bytes: 0 };
  const write = store.write.bind(store);
  store.write = (layer, slot, record) => {
    const startedMs = performance.now();
    write(layer, slot, record);
    seen.ms += performance.now() - startedMs;
    seen.bytes += record.byteLength;
  };
  return {
    get ms() {
      return seen.ms;
    },
    get bytes() {
      return seen.bytes;
    },
    reset: () => Object.assign(seen, { ms: 0, bytes: 0 }),
    stop: () => Object.assign(store, { write }),
  };
}

async function measureSubject(subject: Subject) {
  say(`${subject.name}: loading`);
  const engine = await LocalEngine.open({ device: 'gpu' });
  try {
    const { plan } = await engine.load(subject.folder);
    const samples = new Map<string, Sample[]>(CASES.map(({ name }) => [name, []]));
    for (let round = -1; round < ROUNDS; round += 1) {
      for (const wanted of CASES) {
        const sample = await oneRound(engine, subject, wanted);
        say(`${subject.name}, round ${round}, ${wanted.name}: ${digits(sample.msPerToken)} ms a token`);
        if (round >= 0) samples.get(wanted.name)?.push(sample); // shaders compile in the first round
      }
    }
    return { subject, plan, samples };
  } finally {
    engine.dispose();
  }
}

type Result = Awaited<ReturnType<typeof measureSubject>>;

function rowsOf({ samples }: Result) {
  const resident = samples.get(ALL) ?? [];
  return CASES.map(({ name }) => {
    const list = samples.get(name) ?? [];
    const middle = (of: (sample: Sample) => number) => median(list.map(of));
    return {
      name,
      tokensPerSecond: measured(list.map(({ msPerToken }) => 1000 / msPerToken)),
      ofResident: median(list.map(({ msPerToken }, i) => (resident[i]?.msPerToken ?? NaN) / msPerToken)),
      stallMs: middle(({ stallMs }) => stallMs),
      syncMs: middle(({ syncMs }) => syncMs),
      copyMs: middle(({ copyMs }) => copyMs),
      bytes: middle(({ bytes }) => bytes),
      hitRate: middle(({ hitRate }) => hitRate),
    };
  });
}

function section(result: Result): string {
  const { subject, plan } = result;
  const { layers, experts, expertsPerToken, bytes } = plan;
  const { length } = subject.ids;
  const head =
    `**${subject.name}**: ${layers} layers of ${experts} experts of ${digits(bytes.oneExpert / 1000)} kB, ` +
    `top-${expertsPerToken}; ${length - subject.promptTokens} forced tokens behind a prompt of ` +
    `${subject.promptTokens}; ${ROUNDS} rounds in turns.`;
  const rows = rowsOf(result).map((row) => [
    row.name,
    withNoise(row.tokensPerSecond),
    percent(row.ofResident),
    digits(row.stallMs),
    digits(row.syncMs),
    digits(row.copyMs),
    `${digits(row.bytes / 1e6)} MB`,
    percent(row.hitRate),
  ]);
  const titles = [
    'cache ratio',
    'tokens/s',
    'of resident',
    'stall ms',
    'sync ms',
    'copy ms',
    'bytes',
    'hit rate',
  ];
  return `${head}\n\n${table(titles, rows)}`;
}

export async function streamingPart(): Promise<PartResult> {
  const results: Result[] = [];
  for (const make of [() => trained('fable-moe-12m'), generated])
    results.push(await measureSubject(await make()));
  const markdown = [
    'Slots of a layer over what a token needs; every other number is for one token. Stall: waiting for records; sync: ' +
      'waiting for the GPU to name the experts, which includes its computing; copy: handing records to the queue. ' +
      'Records lie in memory, so neither network nor disk is measured; but for "none in memory", where each is read from ' +
      'the model file again (fable: converted; generated: checked by its hash). `of resident` is the median over pairs of one ' +
      'round. Defaults: policy EMA, one layer of lookahead, automatic run-ahead.',
    ...results.map(section),
  ].join('\n\n');
  const subjects = results.map((result) => ({
    name: result.subject.name,
    plan: result.plan,
    rows: rowsOf(result),
    rounds: Object.fromEntries(result.samples),
  }));
  return { markdown, results: { subjects } };
}
