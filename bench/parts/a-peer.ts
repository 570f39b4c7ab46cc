/** (a) The same Q4 model in Atomoe and in ONNX Runtime, in one page, on one adapter, in turns. */
import { LocalEngine } from '../../src/engine/index.ts';
import { checkpointFolder } from '../peer/checkpoint.ts';
import { BENCH_MODEL, makeWeights, type ModelShape, type ModelWeights } from '../peer/model.ts';
import { onnxModel } from '../peer/onnx.ts';
import { loadOrt, OrtModel } from '../peer/ort.ts';
import { digits, percent, say, table, withNoise, type PartResult } from '../report.ts';
import { measured, median, relativeRms } from '../stats.ts';

const CHECK_TOKENS = 8; // decoded one by one on both sides, all logits compared
const PROMPT_TOKENS = 8; // for both: ONNX Runtime takes three seconds for each on a software adapter
const LONG_PROMPT_TOKENS = 256; // for us alone: one whole chunk
const DECODE_TOKENS = 8; // of ours, in one round
const PEER_TOKENS = 2; // of ONNX Runtime in one round
const ROUNDS = 5;
const MAX_RMS = 0.03;

/** Token ids that visit the whole vocabulary. */
function promptIds(count: number, vocab: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 1103 + 17) % vocab);
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

/** Our engine with one conversation. */
class Ours {
  readonly #engine: LocalEngine;
  #state: Awaited<ReturnType<LocalEngine['runner']['openState']>> | undefined;
  #past = 0;

  private constructor(engine: LocalEngine) {
    this.#engine = engine;
  }

  static async open(weights: ModelWeights): Promise<Ours> {
    const engine = await LocalEngine.open({ device: 'gpu' });
    const { contextTokens } = weights.shape;
    await engine.load(checkpointFolder(weights), { quantize: 'q4_0', contextTokens });
    return new Ours(engine);
  }

  get engine(): LocalEngine {
    return this.#engine;
  }

  /** Runs tokens behind those so far, and draws the next one greedily. */
  async step(ids: readonly number[]): Promise<void> {
    const { runner } = this.#engine;
    this.#state ??= await runner.openState();
    await runner.step(this.#state, {
      ids,
      past: this.#past,
      penalty: 1,
      temperature: 1,
      candidates: false,
      routes: false,
    });
    this.#past += ids.length;
  }

  reset(): void {
    this.#past = 0;
  }

  dispose(): void {
    this.#state?.dispose();
    this.#engine.dispose();
  }
}

interface Check {
  readonly decodeRms: number; // worst of the tokens
  readonly argmaxAgree: number;
}

async function checkDecode(ours: Ours, peer: OrtModel, { vocab }: ModelShape): Promise<Check> {
  const ids = promptIds(CHECK_TOKENS, vocab);
  const mine = await ours.engine.logits(ids, 'one-by-one');
  peer.reset();
  let decodeRms = 0;
  let argmaxAgree = 0;
  for (const [index, id] of ids.entries()) {
    const theirs = await peer.step([id]);
    const row = mine.subarray(index * vocab, (index + 1) * vocab);
    decodeRms = Math.max(decodeRms, relativeRms(theirs, row));
    argmaxAgree += argmax(theirs) === argmax(row) ? 1 : 0;
  }
  say(`decode outputs differ by ${percent(decodeRms)} relative RMS at most`);
  return { decodeRms, argmaxAgree };
}

function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i]! > values[best]!) best = i;
  return best;
}

interface Rounds {
  readonly oursDecodeMs: readonly number[]; // per token
  readonly peerDecodeMs: readonly number[];
  readonly oursPrefillMs: readonly number[]; // of the whole prompt
  readonly oursLongPrefillMs: readonly number[];
  readonly peerPrefillMs: readonly number[]; // of runs whose output was right
  readonly peerPrefillWrong: number;
}

/** What the peer's prefill should give: logits and cache of its own CPU kernels. */
interface PrefillReference {
  readonly logits: Float32Array;
  readonly cache: Float32Array;
}

async function runRounds(
  ours: Ours,
  peer: OrtModel,
  { vocab }: ModelShape,
  want: PrefillReference,
): Promise<Rounds> {
  const prompt = promptIds(PROMPT_TOKENS, vocab);
  const rounds = {
    oursDecodeMs: [] as number[],
    peerDecodeMs: [] as number[],
    oursPrefillMs: [] as number[],
    oursLongPrefillMs: [] as number[],
    peerPrefillMs: [] as number[],
    peerPrefillWrong: 0,
  };
  for (let round = -1; round < ROUNDS; round += 1) {
    ours.reset();
    const oursLongPrefill = await timed(() => ours.step(promptIds(LONG_PROMPT_TOKENS, vocab)));
    ours.reset();
    peer.reset();
    const oursPrefill = await timed(() => ours.step(prompt));
    let logits: Float32Array = new Float32Array(0);
    const peerPrefill = await timed(async () => {
      logits = await peer.step(prompt);
    });
    const isRight =
      Math.max(relativeRms(logits, want.logits), relativeRms(await peer.cache(), want.cache)) <= MAX_RMS;
    // The first token behind a prefill is not counted: the cache has just been read back on one side.
    const decode = async (step: (ids: readonly number[]) => Promise<unknown>, count: number) => {
      await step([1]);
      return timed(async () => {
        for (let i = 0; i < count; i += 1) await step([(i * 37 + 5) % vocab]);
      });
    };
    const oursDecode = (await decode((ids) => ours.step(ids), DECODE_TOKENS)) / DECODE_TOKENS;
    const peerDecode = (await decode((ids) => peer.step(ids), PEER_TOKENS)) / PEER_TOKENS;
    say(
      `round ${round}: prefill ${digits(oursPrefill)} ms (long ${digits(oursLongPrefill)} ms), peer ${digits(peerPrefill)} ms (${isRight ? 'right' : 'wrong'}); ` +
        `decode ${digits(oursDecode)} ms, peer ${digits(peerDecode)} ms a token`,
    );
    if (round < 0) continue; // shaders compile in the first round
    rounds.oursDecodeMs.push(oursDecode);
    rounds.peerDecodeMs.push(peerDecode);
    rounds.oursPrefillMs.push(oursPrefill);
    rounds.oursLongPrefillMs.push(oursLongPrefill);
    if (isRight) rounds.peerPrefillMs.push(peerPrefill);
    else rounds.peerPrefillWrong += 1;
  }
  return rounds;
}

/** Runs the prompt on ONNX Runtime's CPU kernels. */
async function prefillReference(
  ort: Awaited<ReturnType<typeof loadOrt>>,
  model: Uint8Array,
  shape: ModelShape,
): Promise<PrefillReference> {
  const cpu = await OrtModel.open(ort, model, shape, 'wasm');
  const logits = await cpu.step(promptIds(PROMPT_TOKENS, shape.vocab));
  const cache = await cpu.cache();
  await cpu.dispose();
  return { logits: logits.slice(), cache };
}

export async function peerPart(): Promise<PartResult> {
  const shape = BENCH_MODEL;
  say('making the model');
  const weights = makeWeights(shape);
  const ort = await loadOrt();
  // With activations in int8 (level 4) it is no faster on a software adapter, and its routes differ from the f32 model's.
  const model = onnxModel(weights, { accuracy: 0 });
  say(`ONNX file of ${digits(model.byteLength / 1e6)} MB; ONNX Runtime's CPU kernels give the reference`);
  const want = await prefillReference(ort, model, shape);
  const peer = await OrtModel.open(ort, model, shape, 'webgpu');
  say('loading the same weights into Atomoe');
  const ours = await Ours.open(weights);
  try {
    const check = await checkDecode(ours, peer, shape);
    const rounds = await runRounds(ours, peer, shape, want);
    return report(shape, ort.env.versions.web ?? '', check, rounds);
  } finally {
    await peer.dispose();
    ours.dispose();
  }
}

function report(shape: ModelShape, version: string, check: Check, rounds: Rounds): PartResult {
  const perSecond = (msPerToken: readonly number[]) => measured(msPerToken.map((ms) => 1000 / ms));
  const perPrompt = (ms: readonly number[], tokens = PROMPT_TOKENS) =>
    measured(ms.map((value) => (1000 * tokens) / value));
  const decode = { ours: perSecond(rounds.oursDecodeMs), peer: perSecond(rounds.peerDecodeMs) };
  const prefill = { ours: perPrompt(rounds.oursPrefillMs), peer: perPrompt(rounds.peerPrefillMs) };
  const long = perPrompt(rounds.oursLongPrefillMs, LONG_PROMPT_TOKENS);
  const decodeRatio = median(rounds.oursDecodeMs.map((ms, i) => rounds.peerDecodeMs[i]! / ms));
  const batchRatio = median(
    rounds.oursDecodeMs.map((ms, i) => (ms * LONG_PROMPT_TOKENS) / rounds.oursLongPrefillMs[i]!),
  );
  const peerName = `onnxruntime-web ${version}, WebGPU`;
  const markdown = [
    `${shape.layers} layers, hidden ${shape.hidden}, expert width ${shape.ffn}, ${shape.experts} experts, top-${shape.topK}, ` +
      `${shape.heads}/${shape.kvHeads} heads of ${shape.headDim}, vocabulary ${shape.vocab}; 4-bit blocks of 32, the same values on both sides; ` +
      `${ROUNDS} rounds in turns, medians.`,
    '',
    table(
      ['tokens per second', 'Atomoe', peerName, 'ratio of medians of pairs'],
      [
        ['decode', withNoise(decode.ours), withNoise(decode.peer), `${digits(decodeRatio)} (aim 5)`],
        [
          `prefill of ${PROMPT_TOKENS}`,
          withNoise(prefill.ours),
          rounds.peerPrefillMs.length > 0 ? withNoise(prefill.peer) : 'never right',
          digits(prefill.ours.median / prefill.peer.median),
        ],
        [`prefill of ${LONG_PROMPT_TOKENS}`, withNoise(long), 'not run', ''],
      ],
    ),
    '',
    `- Our prefill of ${LONG_PROMPT_TOKENS} tokens against our decode, per token: ${digits(batchRatio)} times (aim 4).`,
    `- Decode outputs, ${CHECK_TOKENS} tokens one by one: ${percent(check.decodeRms)} relative RMS at worst (limit 3 %), ` +
      `same best token ${check.argmaxAgree} of ${CHECK_TOKENS} times.`,
    `- ONNX Runtime's prefill was wrong in ${rounds.peerPrefillWrong} of ${ROUNDS} runs (logits of the last token and all keys ` +
      'and values against its own CPU kernels, limit 3 %); only right runs are quoted.',
  ].join('\n');
  return { markdown, results: { shape, check, rounds, decode, prefill, long, decodeRatio, batchRatio } };
}
