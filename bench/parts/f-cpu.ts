/** (f) The Q4 model without a GPU: WebAssembly kernels beside the software adapter, the reference, and other engines. */
import { BENCH_MODEL, makeWeights } from '../peer/model.ts';
import { onnxModel } from '../peer/onnx.ts';
import { loadOrt, OrtModel, type Backend } from '../peer/ort.ts';
import { runWllama } from '../peer/wllama.ts';
import type { CpuRates, CpuRun } from '../page/cpu-worker.ts';
import { say, table, type PartResult } from '../report.ts';
import { median } from '../stats.ts';

const SIZES = { promptTokens: 256, replyTokens: 48, rounds: 2 } as const;
const TURNS = 2; // of all engines, one after another
const ORT_TOKENS = 4;
const TRAINED = ['fable-moe-12m', 'fable-omni-8m'] as const;

type Rates = Pick<CpuRates, 'prefill' | 'decode'>;

/** Each run in a worker of its own: memory and threads go with it. */
function inWorker(run: CpuRun): Promise<CpuRates> {
  const worker = new Worker(new URL('../page/cpu-worker.ts', import.meta.url), { type: 'module' });
  return new Promise<CpuRates>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ rates?: CpuRates; error?: string }>) =>
      data.rates ? resolve(data.rates) : reject(new Error(data.error));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(run);
  }).finally(() => worker.terminate());
}

async function ort(backend: Backend): Promise<Rates> {
  const weights = makeWeights(BENCH_MODEL);
  const model = await OrtModel.open(
    await loadOrt(),
    onnxModel(weights, { accuracy: 0 }),
    BENCH_MODEL,
    backend,
  );
  const decode: number[] = [];
  await model.step([1]);
  for (let at = 0; at < ORT_TOKENS; at += 1) {
    const startedMs = performance.now();
    await model.step([at]);
    decode.push(1000 / (performance.now() - startedMs));
  }
  await model.dispose();
  return { prefill: [], decode };
}

/** Runs every engine in turns, and compares medians. */
export async function cpuPart(): Promise<PartResult> {
  const weights = makeWeights(BENCH_MODEL);
  const ours = (run: Partial<CpuRun>) => () =>
    inWorker({ device: 'cpu', threads: 1, activations: 'f32', ...SIZES, ...run });
  const engines: Record<string, () => Promise<Rates>> = {
    'Atomoe, exact, 1 thread': ours({}),
    'wllama 3.13, 1 thread': () => runWllama(weights, { ...SIZES, threads: 1 }),
    'Atomoe, int8, 1 thread': ours({ activations: 'int8' }),
    'Atomoe, exact, 2 threads': ours({ threads: 2 }),
    'wllama 3.13, 2 threads': () => runWllama(weights, { ...SIZES, threads: 2 }),
    'Atomoe, int8, 2 threads': ours({ threads: 2, activations: 'int8' }),
    'Atomoe, software GPU': ours({ device: 'gpu' }),
    'Atomoe, reference': ours({ device: 'reference', replyTokens: 8, promptTokens: 32, rounds: 1 }),
    'ONNX Runtime Web, WebGPU on the software GPU': () => ort('webgpu'),
    'ONNX Runtime Web, wasm, 1 thread': () => ort('wasm'),
  };
  const found: Record<string, { prefill: number[]; decode: number[] }> = {};
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const [name, run] of Object.entries(engines)) {
      const { prefill, decode } = await run();
      const all = (found[name] ??= { prefill: [], decode: [] });
      all.prefill.push(...prefill);
      all.decode.push(...decode);
      say(`${name}: prefill ${rate(prefill)}, decode ${rate(decode)}`);
    }
  }
  const peerOf = (name: string) =>
    found[`wllama 3.13, ${name.includes('2 thread') ? '2 threads' : '1 thread'}`];
  const ratio = (own: number[], other: number[] | undefined) =>
    own.length > 0 && other && other.length > 0 ? (median(own) / median(other)).toFixed(1) : '';
  const rows = Object.entries(found).map(([name, { prefill, decode }]) => [
    name,
    rate(decode),
    rate(prefill),
    name.startsWith('Atomoe') ? ratio(decode, peerOf(name)?.decode) : '',
    name.startsWith('Atomoe') ? ratio(prefill, peerOf(name)?.prefill) : '',
  ]);
  const heads = ['engine', 'decode', 'prefill of 256', 'decode, times wllama', 'prefill, times wllama'];
  const trained = await trainedRates();
  const markdown =
    'Tokens per second, medians. 4 layers, hidden 1024, 32 experts of 512, top-4, 4-bit weights: about 40 M weights a token. ' +
    'Each engine in a worker of an isolated page; wllama reports its own timings; ONNX Runtime decodes only.\n\n' +
    table(heads, rows) +
    `\n\nThe trained models of the demo, decode after 128 tokens, one thread:\n\n${trained}`;
  return { markdown, results: { shape: BENCH_MODEL, ...SIZES, found } };
}

/** Decode of the demo's models on each device: tokens per second. */
async function trainedRates(): Promise<string> {
  const devices = ['cpu', 'gpu', 'reference'] as const;
  const sizes = { promptTokens: 128, replyTokens: 64, rounds: 3, threads: 1, activations: 'f32' } as const;
  const rows: string[][] = [];
  for (const model of TRAINED) {
    const row: string[] = [model];
    for (const device of devices) {
      const { prefill, decode } = await inWorker({ ...sizes, device, model });
      say(`${model} on ${device}: prefill ${rate(prefill)}, decode ${rate(decode)}`);
      row.push(`${rate(decode)} (${rate(prefill)})`);
    }
    rows.push(row);
  }
  return table(['decode (prefill)', 'WebAssembly', 'software GPU', 'reference'], rows);
}

function rate(values: readonly number[]): string {
  return values.length === 0 ? '' : median([...values]).toFixed(1);
}
