/** Shared by kernel tests: a device, random inputs, poisoned outputs, comparisons. Not part of the library. */
import { slice, type Buffer } from '../gpu/buffer.ts';
import { Gpu } from '../gpu/device.ts';
import { bind } from '../gpu/pipeline.ts';
import type { Access, Feature, ParamType } from '../gpu/program.ts';
import { paramsSizeBytes, submit, writeParams } from '../gpu/recorder.ts';
import { f16ToF32, f32ArrayToF16 } from '../weights/half.ts';
import { program, type Kernel, type Variant } from './kernel.ts';

/** Contents of a buffer. */
export type Values = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** The lane that runs variants with shader-f16; Chromium runs all others. */
export const isFirefox = import.meta.env?.['VITE_ATOMOE_LANE'] === 'firefox';

/** The lane that runs variants with shader-f16 and subgroups. */
const isMesa = import.meta.env?.['VITE_ATOMOE_LANE'] === 'mesa';

let shared: Promise<Gpu> | undefined;
let entry: GPU | undefined; // kept reachable: Dawn is destroyed when it is collected

async function openShared(): Promise<Gpu> {
  if (!globalThis.navigator?.gpu) {
    const { create } = await import('webgpu');
    entry = create([]);
  }
  const features: Feature[] = ['shader-f16', 'subgroups', 'timestamp-query'];
  return Gpu.open({ gpu: entry, features, limits: 'default' });
}

/** The device that all tests of a page share: every feature that the adapter has, default limits. */
export async function testGpu(): Promise<Gpu> {
  shared ??= openShared();
  const gpu = await shared;
  if (gpu.isLost) shared = undefined;
  return gpu;
}

/**
 * The given variants of a kernel that this device can run: in Firefox only those with f16 activations, if a kernel has any,
 * and on Mesa only those with f16 activations and subgroups. Chromium runs the others.
 */
export function runnable<V extends Variant>(
  gpu: Gpu,
  kernel: { readonly variants: readonly V[]; readonly features?: (variant: V) => readonly Feature[] },
  isWanted: (variant: V) => boolean = () => true,
): V[] {
  const featuresOf = (variant: V) => kernel.features?.(variant) ?? [];
  const legal = kernel.variants.filter((variant) =>
    featuresOf(variant).every((feature) => gpu.features.has(feature)),
  );
  const halves = legal.filter((variant) => variant['scalar'] === 'f16');
  if (isMesa)
    return halves.filter((variant) => featuresOf(variant).includes('subgroups') && isWanted(variant));
  return (isFirefox && halves.length > 0 ? halves : legal).filter(isWanted);
}

/** Whether this is `npm test`, not `npm run test:all` or a single file. */
export const isQuick = import.meta.env?.['VITE_ATOMOE_TESTS'] === 'quick';

/** In `npm test`, a small set of variants with every value of every property; otherwise all of them. */
export function quickly<V extends Variant>(variants: readonly V[]): readonly V[] {
  if (!isQuick) return variants;
  const seen = new Set<string>();
  return variants.filter((variant) => {
    const values = Object.entries(variant).map(([name, value]) => `${name} ${value}`);
    const isNew = values.some((value) => !seen.has(value));
    for (const value of values) seen.add(value);
    return isNew;
  });
}

/** Mulberry32: a seeded generator of uniform numbers in [0, 1). */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normally distributed f32 values. */
export function randomNormal(count: number, seed: number, deviation = 1): Float32Array<ArrayBuffer> {
  const next = randomStream(seed);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    values[i] = deviation * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  }
  return values;
}

/** An output: number and type of elements. It is filled with poison before the run, so that a kernel that writes nothing fails. */
export interface Output {
  readonly type: 'f32' | 'u32' | 'f16';
  readonly count: number;
}

const POISON = 0x7ac0ffee; // a finite f32 near 5e35; as two halves: NaN and a large number

/** The value of an f32 output element that a kernel did not write. */
export const UNWRITTEN = new Float32Array(Uint32Array.of(POISON).buffer)[0] ?? NaN;

/**
 * Runs one dispatch of a kernel. `read` bindings are given as values; `write` bindings as an `Output`, or as values
 * if the kernel updates them. Returns the contents of each `write` binding afterwards (f16 as bits).
 */
export async function runKernel<
  const B extends Record<string, Access>,
  const P extends Record<string, ParamType>,
  V extends Variant,
  S,
>(
  gpu: Gpu,
  kernel: Kernel<B, P, V, S>,
  variant: V,
  run: {
    readonly buffers: { readonly [N in keyof B]: Values | Output };
    readonly params: { readonly [N in keyof P]: number };
    readonly size: S;
  },
): Promise<{ readonly [N in keyof B]: Values }> {
  const made: Buffer[] = [];
  const make = (label: string, sizeBytes: number, use: 'storage' | 'uniform') => {
    const buffer = gpu.createBuffer({ label, sizeBytes, kind: 'activations', use });
    made.push(buffer);
    return buffer;
  };
  const text = program(kernel, variant);
  const entries = Object.entries(run.buffers) as [string, Values | Output][];
  const buffers: Record<string, Buffer> = {};
  for (const [name, value] of entries) {
    const sizeBytes = 'type' in value ? value.count * (value.type === 'f16' ? 2 : 4) : value.byteLength;
    const buffer = make(name, sizeBytes, 'storage');
    buffers[name] = buffer;
    if ('type' in value) gpu.write(buffer, 0, new Uint32Array(buffer.sizeBytes / 4).fill(POISON));
    else gpu.write(buffer, 0, padded(value));
  }
  const uniform = make('params', paramsSizeBytes(text.params), 'uniform');
  const words = new DataView(new ArrayBuffer(paramsSizeBytes(text.params)));
  writeParams(words, 0, text.params, run.params);
  if (words.byteLength > 0) gpu.write(uniform, 0, words);
  const pipeline = await gpu.pipelines.compile(text);
  gpu.device.pushErrorScope('validation');
  const slices = Object.fromEntries(entries.map(([name]) => [name, slice(buffers[name]!)]));
  submit(gpu, [{ group: bind(gpu, pipeline, slices, slice(uniform)), grid: kernel.grid(run.size, variant) }]);
  const invalid = await gpu.device.popErrorScope();
  if (invalid) throw new Error(`${text.key}: ${invalid.message}`);
  const results: Record<string, Values> = {};
  for (const [name, value] of entries) {
    if (kernel.bindings[name] !== 'write') continue;
    const bytes = await gpu.read(buffers[name]!);
    results[name] = 'type' in value ? typed(bytes, value.type, value.count) : typedLike(bytes, value);
  }
  for (const buffer of made) buffer.dispose();
  return results as { readonly [N in keyof B]: Values };
}

function padded(value: Values): ArrayBufferView<ArrayBuffer> {
  if (value.byteLength % 4 === 0) return value;
  const bytes = new Uint8Array(value.byteLength + 2);
  bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  return bytes;
}

function typed(bytes: ArrayBuffer, type: Output['type'], count: number): Values {
  if (type === 'f32') return new Float32Array(bytes, 0, count);
  return type === 'u32' ? new Uint32Array(bytes, 0, count) : new Uint16Array(bytes, 0, count);
}

function typedLike(bytes: ArrayBuffer, like: Values): Values {
  return typed(
    bytes,
    like instanceof Float32Array ? 'f32' : like instanceof Uint32Array ? 'u32' : 'f16',
    like.length,
  );
}

/** Activations in the type of a `scalar` binding. */
export function scalars(values: Float32Array<ArrayBuffer>, scalar: 'f32' | 'f16'): Values {
  return scalar === 'f32' ? values : f32ArrayToF16(values);
}

/** The contents of a `scalar` binding as f32. */
export function numbers(values: Values): Float32Array<ArrayBuffer> {
  if (values instanceof Float32Array) return values;
  return Float32Array.from(values, values instanceof Uint16Array ? f16ToF32 : Number);
}

/** The values that a `scalar` binding can represent: rounded to f16 if it is f16. */
export function rounded(values: Float32Array<ArrayBuffer>, scalar: 'f32' | 'f16'): Float32Array<ArrayBuffer> {
  return numbers(scalars(values, scalar));
}

/** Tolerance by storage type: f16 outputs are rounded to 11 bits. */
export function tolerance(scalar: 'f32' | 'f16'): { absolute: number; relative: number } {
  return scalar === 'f32' ? { absolute: 1e-6, relative: 1e-5 } : { absolute: 1e-4, relative: 1e-3 };
}

/**
 * Throws unless |got - want| <= absolute + relative * |want| everywhere; the message lists the five largest errors.
 */
export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  {
    absolute = 1e-6,
    relative = 1e-5,
    label = '',
  }: { absolute?: number; relative?: number; label?: string } = {},
): void {
  if (got.length !== want.length) throw new Error(`${label}: ${got.length} values, wanted ${want.length}`);
  const bad: { index: number; excess: number }[] = [];
  for (let index = 0; index < want.length; index += 1) {
    const error = Math.abs(got[index]! - want[index]!);
    const allowed = absolute + relative * Math.abs(want[index]!);
    if (!(error <= allowed)) bad.push({ index, excess: Number.isFinite(error) ? error / allowed : Infinity });
  }
  if (bad.length === 0) return;
  bad.sort((a, b) => b.excess - a.excess);
  const worst = bad.slice(0, 5).map(({ index }) => `[${index}] got ${got[index]}, want ${want[index]}`);
  throw new Error(`${label}: ${bad.length} of ${want.length} values differ; worst: ${worst.join('; ')}`);
}
