/** What model tests share: folders of fixtures and engines on any device. Not part of the library. */
import { Gpu, type HostDevice } from '../gpu/device.ts';
import type { FolderSource } from '../io/source.ts';
import { httpFolder } from '../io/http.ts';
import { LocalEngine, type EngineOptions } from './engine.ts';

/** A folder of this repository, or a GGUF file, by its path from the root, in a browser or in Node. */
export async function repositoryFolder(path: string): Promise<FolderSource> {
  if (globalThis.location) {
    const address = path.endsWith('.gguf') ? `/${path}` : `/${path}/`;
    return httpFolder(new URL(address, globalThis.location.href).href);
  }
  const { nodeFolder } = await import('../io/node-file.ts');
  return nodeFolder(path);
}

/** The parsed golden.json of a model folder. @throws where the folder has none */
export async function readGolden<T>(folder: FolderSource, name = 'golden.json'): Promise<T> {
  const file = await folder.open(name);
  if (!file) throw new Error(`${folder.label} has no ${name}`);
  const bytes = await file.read(0, file.sizeBytes);
  file.dispose?.();
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

let dawn: GpuEntryOf | undefined; // kept reachable: Dawn goes when it is collected
type GpuEntryOf = NonNullable<EngineOptions['gpu']>;

async function entry(): Promise<GpuEntryOf | undefined> {
  if (globalThis.navigator?.gpu) return undefined;
  const { create } = await import('webgpu');
  dawn ??= create([]);
  return dawn;
}

let sharedGpu: Promise<Gpu> | undefined;

/** One device for all engines of a page: compiling pipelines costs more than most tests. */
async function sharedDevice(gpu: GpuEntryOf | undefined): Promise<HostDevice> {
  sharedGpu ??= Gpu.open({
    gpu,
    features: ['shader-f16', 'subgroups', 'timestamp-query'],
    limits: 'default',
  });
  const { device, isLost } = await sharedGpu;
  if (!isLost) return device;
  sharedGpu = undefined;
  return sharedDevice(gpu);
}

/**
 * An engine on the device that all tests of a page share, opened with the portable limits, with the default kernels.
 * `device: 'gpu'` opens a device of its own as users do, with the limits that the plan asks for.
 */
export async function openEngine(options: EngineOptions = {}): Promise<LocalEngine> {
  if (options.device === 'cpu' || options.device === 'reference') return LocalEngine.open(options);
  const gpu = await entry();
  const device = options.device ?? (await sharedDevice(gpu));
  return LocalEngine.open({ tuning: 'off', ...(gpu ? { gpu } : {}), ...options, device });
}

/** Where two arrays of f32 differ first, by their bits; 'equal' where they do not. A diff of a million numbers is of no use. */
export function firstDifference(a: Float32Array, b: Float32Array): string {
  if (a.length !== b.length) return `${a.length} against ${b.length} numbers`;
  const [x, y] = [a, b].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length));
  for (let i = 0; i < a.length; i += 1) {
    if (x?.[i] !== y?.[i]) return `${a[i]} against ${b[i]} at ${i}`;
  }
  return 'equal';
}

/** Largest |a - b|. */
export function largestError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i += 1) {
    const error = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
  }
  return largest;
}

/** The random fixture models in fixtures/models. */
export const FIXTURE_FAMILIES = [
  'qwen3_moe',
  'olmoe',
  'mixtral',
  'qwen2_moe',
  'granitemoe',
  'granitemoeshared',
  'dots1',
  'glm4_moe',
  'ernie4_5_moe',
  'minimax_m2',
  'hunyuan_v1_moe',
  'gpt_oss',
  'lfm2_moe',
  'deepseek_v2',
  'deepseek_v3',
  'glm4_moe_lite',
  'solar_open',
  'hy_v3',
  'exaone_moe',
  'granitemoehybrid',
  'qwen3_next',
  'qwen3_5_moe_text',
  'nemotron_h',
  'phimoe',
  'gemma4_text',
  'llama4_text',
] as const;

/**
 * Whether small errors in a fixture grow by the thousand: where the query of a delta net is nearly orthogonal to the keys so far,
 * S^T q nearly vanishes, and the norm behind it divides by its length (in layer 0 of qwen3_5_moe_text, token 4).
 */
export function isIllConditioned(family: string): boolean {
  return family === 'qwen3_next' || family === 'qwen3_5_moe_text';
}

/** Tolerance of a fixture's logits in f32 against transformers' in f32: in ill-conditioned ones, two forms differ by 3e-4. */
export function fixtureTolerance(family: string): number {
  return isIllConditioned(family) ? 1e-3 : 1e-4;
}

/** The trained models of the demo. */
export const TRAINED_MODELS = ['fable-omni-8m', 'fable-moe-12m'] as const;

/** `golden.json` of a random fixture: ids and the logits of every position. */
export interface FixtureGolden {
  readonly ids: readonly number[];
  readonly logits: readonly (readonly number[])[];
}

/** `golden.json` of a trained model. */
export interface TrainedGolden {
  readonly prompt: string;
  readonly ids: readonly number[];
  readonly logits: readonly (readonly number[])[];
  readonly logits_positions: readonly number[];
  readonly router_ids: readonly (readonly (readonly number[])[])[]; // [layer][position]
  readonly greedy_ids: readonly number[];
  readonly greedy_text: string;
  readonly greedy_min_margin: number;
  readonly perplexity: {
    readonly window: number;
    readonly windows: number;
    readonly ids: readonly number[];
    readonly nll_per_token: number;
  };
}

/** exp of the mean negative log-probability of each next token, over the golden file's windows. */
export async function perplexity(
  engine: LocalEngine,
  { ids, window, windows }: TrainedGolden['perplexity'],
): Promise<number> {
  const vocab = engine.model?.plan.vocab ?? 0;
  let nll = 0;
  let count = 0;
  for (let index = 0; index < windows; index += 1) {
    const part = ids.slice(index * window, (index + 1) * window);
    const logits = await engine.logits(part, 'at-once');
    for (let position = 0; position + 1 < part.length; position += 1) {
      const row = logits.subarray(position * vocab, (position + 1) * vocab);
      nll -= logProbability(row, part[position + 1] ?? 0);
      count += 1;
    }
  }
  return Math.exp(nll / count);
}

function logProbability(logits: Float32Array, id: number): number {
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return (logits[id] ?? NaN) - largest - Math.log(sum);
}
