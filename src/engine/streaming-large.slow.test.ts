/**
 * A gigabyte of experts through 12 slots a layer, bit for bit the run with all of them resident. In Node; the GPU is
 * Dawn's. `ATOMOE_RECORD=1 npm run test:slow` keeps what it measured in bench/streaming-large.json.
 */
import { cpus, loadavg, totalmem } from 'node:os';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { create } from 'webgpu';
import { POLICIES } from '../experts/policies.ts';
import { RouteRecorder } from '../experts/study/route-recorder.ts';
import { replay, uniformPlaces } from '../experts/study/simulate.ts';
import type { PolicyName } from '../experts/policy-names.ts';
import { LocalEngine } from './engine.ts';
import { generatedIds, generatedModel, GIGABYTE_MODEL } from './generated-model.testing.ts';
import { delays, type Latency } from './streaming.testing.ts';
import { firstDifference } from './testing.ts';

const { layers, experts, topK, vocab } = GIGABYTE_MODEL;
const PLACES = 12;
const PROMPT_TOKENS = 24; // their experts need several waves of scratch slots
const FORCED_TOKENS = 32;
const SEED = 11;
const NAN_POISON = 0x7fc07e01; // as f32 and as two halves: NaN

interface Cell {
  readonly policy: PolicyName;
  readonly lookahead: 0 | 1 | 2 | 'wrong';
  readonly runAhead: number | 'auto';
  readonly latency: Latency;
}

/** Every policy, every depth and every latency once at least; guesses that are always wrong twice. */
const CELLS: readonly Cell[] = [
  { policy: 'ema', lookahead: 1, runAhead: 'auto', latency: 'zero' }, // what no one changes
  { policy: 'lru', lookahead: 0, runAhead: 0, latency: 'jitter' },
  { policy: 'lfru', lookahead: 2, runAhead: 2, latency: 'reordered' },
  { policy: 'random', lookahead: 'wrong', runAhead: 1, latency: 'zero' },
  { policy: 'ema', lookahead: 'wrong', runAhead: 3, latency: 'reordered' },
  { policy: 'lfu', lookahead: 2, runAhead: 1, latency: 'jitter' },
];

// As in the lane in Chromium (vitest.config.ts says why). Dawn goes when this is collected.
const dawn = create(['enable-dawn-features=disable_workgroup_init']);
const latency = delays(5);
let isWrong = false;
let recorder = new RouteRecorder();
let engine: LocalEngine;
let want: Float32Array;
let residentMs = 0;
let expertBytes = 0;
let load = 0; // of the machine, before
const measured: object[] = [];

const ids = generatedIds(PROMPT_TOKENS + FORCED_TOKENS, vocab, 7);

/** Logits of the prompt's last token and of every forced one after it. */
async function forced(): Promise<{ logits: Float32Array; msPerToken: number }> {
  const { runner } = engine;
  const state = await runner.openState();
  const request = { penalty: 1, temperature: 1, candidates: false, routes: false };
  const logits = new Float32Array((1 + FORCED_TOKENS) * vocab);
  let startedMs = 0;
  try {
    for (let past = 0, row = 0; past < ids.length; row += 1) {
      const part = past === 0 ? ids.slice(0, PROMPT_TOKENS) : ids.slice(past, past + 1);
      if (row === 1) startedMs = performance.now();
      const step = await runner.step(state, { ...request, ids: part, past });
      logits.set(await step.logits(), row * vocab);
      past += part.length;
    }
    return { logits, msPerToken: (performance.now() - startedMs) / FORCED_TOKENS };
  } finally {
    state.dispose();
  }
}

/** As many guesses as there were, none of them right. */
function mislead(layer: number, guessed: Uint32Array, count: number): void {
  if (!isWrong) return;
  const right = new Set(guessed.subarray(0, count));
  let at = 0;
  for (let unit = layer; at < count; unit += 1) {
    if (!right.has(unit % experts)) guessed[at++] = unit % experts;
  }
}

beforeAll(async () => {
  [load = 0] = loadavg();
  engine = await LocalEngine.open({
    device: 'gpu',
    gpu: dawn,
    tuning: 'off',
    streamTesting: {
      poison: NAN_POISON,
      delay: latency.delay,
      link: () => ({ utilisation: 0, bytesPerMs: Infinity }),
      mistake: mislead,
      observer: {
        prompt: (...heard) => recorder.prompt(...heard),
        token: (...heard) => recorder.token(...heard),
      },
    },
  });
  const { plan } = await engine.load(await generatedModel(GIGABYTE_MODEL));
  expertBytes = plan.bytes.allExperts;
  expect(expertBytes).toBeGreaterThanOrEqual(1e9);
  expect(plan).toMatchObject({ experts: 128, expertsPerToken: 8, streams: false });
  const resident = await forced();
  want = resident.logits;
  residentMs = resident.msPerToken;
  expect(want.every(Number.isFinite)).toBe(true);
}, 900_000);

afterAll(async () => {
  engine?.dispose();
  if (process.env['ATOMOE_RECORD'] && measured.length === CELLS.length) await record();
});

test.each(CELLS)('$policy, lookahead $lookahead, $runAhead ahead, $latency', async (cell) => {
  const { policy, lookahead, runAhead } = cell;
  latency.set(cell.latency);
  isWrong = lookahead === 'wrong';
  recorder = new RouteRecorder();
  await engine.resize({
    streaming: {
      slotsPerLayer: PLACES,
      policy,
      seed: SEED,
      runAhead,
      lookahead: lookahead === 'wrong' ? 1 : lookahead,
      // Where reads take their time every record is read again; elsewhere memory holds those that were.
      hostBudget: cell.latency === 'zero' ? 2 ** 31 : 0,
      fill: false,
    },
  });
  const { logits, msPerToken } = await forced();
  expect(firstDifference(logits, want)).toBe('equal');

  const report = (await engine.streaming())!;
  const { hits, misses, evictions, speculated, adopted, wasted, aborts, uploadedBytes, unitBytes } = report;
  expect(report).toMatchObject({ layers, unitsPerLayer: experts, slotsPerLayer: PLACES, isComplete: false });
  expect(report.tokens).toBe(FORCED_TOKENS);
  expect(hits + misses).toBe(FORCED_TOKENS * layers * topK);
  // Neither guesses nor latency nor running ahead change what the cache does: the simulator counts the same.
  const unitBytesOfLayers = Array<number>(layers).fill(unitBytes);
  const trace = recorder.trace({ label: policy, layers, units: experts, topK, unitBytes: unitBytesOfLayers });
  const simulated = replay(trace, POLICIES[policy], uniformPlaces(trace, PLACES), SEED);
  expect({ hits, misses, evictions }).toEqual(simulated.counters);
  expect(hits).toBeGreaterThan(0);
  expect(evictions).toBe(misses); // the prompt left no place empty
  expect(aborts > 0).toBe(runAhead !== 0 && runAhead !== 'auto');
  expect(speculated > 0).toBe(lookahead !== 0);
  // What is meant to be wrong may be wanted all the same: another unit of the layer was chosen than the guess said.
  if (lookahead === 'wrong') expect(wasted).toBeGreaterThan(0);
  else expect(adopted > 0).toBe(lookahead > 0);
  const records = uploadedBytes / unitBytes;
  expect(records).toBeGreaterThanOrEqual(misses - adopted);
  expect(wasted).toBeLessThanOrEqual(0.1 * records);
  if (cell.latency !== 'zero')
    expect(report.readBytes).toBeGreaterThanOrEqual((misses - adopted) * unitBytes);
  const perToken = (value: number) => Math.round(value / FORCED_TOKENS);
  measured.push({
    ...cell,
    msPerToken: Math.round(msPerToken),
    hitRate: Number((hits / (hits + misses)).toFixed(3)),
    misses,
    speculated,
    adopted,
    wasted,
    aborts,
    fetchedBytesPerToken: perToken((misses - adopted + speculated) * unitBytes),
    stallMs: Math.round(report.stallMs),
    syncMs: Math.round(report.syncMs),
  });
});

/** What was measured, with the machine and the day. */
async function record(): Promise<void> {
  const [{ writeFile }, { execFileSync }, prettier] = await Promise.all([
    import('node:fs/promises'),
    import('node:child_process'),
    import('prettier'),
  ]);
  const [cpu] = cpus();
  const content = {
    what: 'src/engine/streaming-large.slow.test.ts: forced tokens, logits byte for byte those of the resident run',
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    machine: `${cpus().length} CPU cores (${cpu?.model ?? ''}) with a load of ${load.toFixed(1)} before, ${Math.round(totalmem() / 1e9)} GB, ${process.platform} ${process.arch}, node ${process.version}`,
    adapter: engine.adapter.name,
    model: { ...GIGABYTE_MODEL, format: 'q8_0', expertBytes },
    slotsPerLayer: PLACES,
    promptTokens: PROMPT_TOKENS,
    forcedTokens: FORCED_TOKENS,
    residentMsPerToken: Math.round(residentMs),
    cells: measured,
  };
  const text = await prettier.format(JSON.stringify(content), { parser: 'json', printWidth: 110 });
  await writeFile('bench/streaming-large.json', text);
}
