/**
 * Every candidate of every choice, at the sizes of published models: made, laid out, bound and dispatched on Dawn's null
 * backend, which validates as a browser does and runs nothing.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { create } from 'webgpu';
import type { AdapterClass } from '../gpu/adapter-class.ts';
import { slice, type BufferSlice } from '../gpu/buffer.ts';
import { Gpu } from '../gpu/device.ts';
import { ParamsArena, submit, type Command } from '../gpu/recorder.ts';
import type { DeviceFacts } from '../graph/candidates.ts';
import { tensorSizeBytes } from '../graph/liveness.ts';
import { plainStep, type Dispatch, type Graph, type Step } from '../graph/node.ts';
import { bindDispatch, lower, type Choice, type PlanOptions } from '../graph/plan.ts';
import type { Ref, Scalar } from '../graph/tensor.ts';
import type { FormatName } from '../weights/formats/index.ts';
import { matrixLayout } from '../weights/matrix.ts';
import { realGraph, REAL_SIZES, realWeights, type RealSize } from './real-sizes.testing.ts';

const dawn = create(['backend=null']);
const gpu = await Gpu.open({ gpu: dawn, features: ['shader-f16', 'subgroups'], adapterClass: 'hardware' });
const counts = { candidates: 0, choices: 0, dispatches: 0 };
afterAll(() => {
  const { candidates, choices, dispatches } = counts;
  const pipelines = gpu.counters.pipelines;
  console.log(
    `${candidates} candidates of ${choices} choices: ${dispatches} dispatches of ${pipelines} pipelines`,
  );
  gpu.dispose();
  void dawn; // Dawn goes when this object is collected
});

/** How a device may be. */
interface Kind {
  readonly adapterClass: AdapterClass;
  readonly scalar: Scalar;
  readonly features: DeviceFacts['features'];
  readonly format: FormatName;
  readonly maxBindingBytes: number;
}

const NARROW = 128 * 2 ** 20; // experts of a layer do not fit one binding: four pools
const WIDE = 4 * 2 ** 30;
const halves = new Set(['shader-f16', 'subgroups'] as const);
const subgroups = new Set(['subgroups'] as const);
const none = new Set<never>();
const KINDS: readonly Kind[] = [
  { adapterClass: 'hardware', scalar: 'f16', features: halves, format: 'q4_0', maxBindingBytes: NARROW },
  { adapterClass: 'hardware', scalar: 'f32', features: subgroups, format: 'q8_0', maxBindingBytes: WIDE },
  { adapterClass: 'hardware', scalar: 'f32', features: none, format: 'bf16', maxBindingBytes: WIDE },
  { adapterClass: 'software', scalar: 'f32', features: subgroups, format: 'q4_0', maxBindingBytes: WIDE },
];
const CONTEXT_TOKENS = 4096;
const STEPS = [1, 4, 256]; // tokens: forms for one, a few and many

function lowered(size: RealSize, kind: Kind, maxTokens: number) {
  const { adapterClass, scalar, features, format, maxBindingBytes } = kind;
  const graph: Graph = realGraph(size, {
    logits: maxTokens === 4 ? 'all' : 'last',
    sample: maxTokens !== 4,
    contextTokens: CONTEXT_TOKENS,
    lookahead: 1,
  });
  const facts: DeviceFacts = { adapterClass, features, limits: { ...gpu.limits, maxBindingBytes } };
  const options: PlanOptions = {
    label: size.name,
    maxTokens,
    contextTokens: CONTEXT_TOKENS,
    scalar,
    tuning: new Map(),
  };
  return lower(facts, graph, realWeights(size, format, maxBindingBytes), options);
}

const ALIGNMENT = 256;
const room = (label: string, sizeBytes: number) =>
  gpu.createBuffer({ label, sizeBytes, kind: 'activations' });
// The null device has 512 MiB in all. What is written in one dispatch is adjacent.
const inputs = room('inputs', gpu.limits.maxBindingBytes);
const outputs = room('outputs', 256 * 2 ** 20);
const MOST_OUTPUT_BYTES = outputs.sizeBytes / gpu.limits.maxStorageBuffers;
const indirect = gpu.createBuffer({
  label: 'arguments',
  sizeBytes: 16,
  kind: 'activations',
  use: 'indirect',
});
const arena = new ParamsArena(gpu, 'params', 256); // long ways come in many pieces

/** Binds every buffer in its own size, as far as the null device has room. */
async function commandOf(dispatch: Dispatch, slot: number, kind: Kind, step: Step): Promise<Command[]> {
  const { program } = dispatch;
  const pipeline = await gpu.pipelines.compile(program);
  arena.set(slot, program.params, dispatch.params(step));
  let written = 0;
  const place = (ref: Ref): BufferSlice => {
    const name = Object.keys(dispatch.buffers).find((key) => dispatch.buffers[key] === ref) ?? '';
    const isWritten = program.bindings[name] === 'write';
    const most = isWritten ? MOST_OUTPUT_BYTES : inputs.sizeBytes;
    const sizeBytes = Math.min(most, sizeOf(ref, kind, step.tokens));
    if (!isWritten) return slice(inputs, 0, sizeBytes);
    const at = written;
    written += ALIGNMENT * Math.ceil(sizeBytes / ALIGNMENT);
    return slice(outputs, at, sizeBytes);
  };
  const group = bindDispatch(gpu, dispatch, pipeline, place, arena.slot(slot, program.params));
  const grid = dispatch.grid(step);
  counts.dispatches += 1;
  return [{ group, grid: 'indirect' in grid ? { indirect, offsetBytes: 0 } : grid }];
}

function sizeOf(ref: Ref, { scalar, format }: Kind, tokens: number): number {
  if (ref.kind === 'tensor') return tensorSizeBytes(ref, tokens, scalar);
  if (ref.kind === 'buffer') return ref.buffer.sizeBytes;
  const { exact, rows, cols } = ref.kind === 'part' ? ref.weight : ref; // a part is no larger than all
  return matrixLayout(exact ? 'f32' : format, rows, cols).sizeBytes;
}

/** @returns what went wrong, empty where nothing did */
async function failureOf(
  dispatches: readonly Dispatch[],
  kind: Kind,
  steps: readonly Step[],
): Promise<string> {
  try {
    const commands: Command[] = [];
    for (const step of steps) {
      for (const [slot, dispatch] of dispatches.entries()) {
        if (dispatch.isNeeded?.(step) ?? true)
          commands.push(...(await commandOf(dispatch, slot, kind, step)));
      }
    }
    await gpu.attempting('a candidate', () => submit(gpu, commands));
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function failuresOf(choice: Choice, kind: Kind, steps: readonly Step[]): Promise<string[]> {
  const failures: string[] = [];
  counts.choices += 1;
  for (const candidate of choice.candidates) {
    counts.candidates += 1;
    const dispatches = choice.make(candidate);
    if (kind.adapterClass === 'hardware') expect(dispatches.every(isForHardware), candidate).toBe(true);
    const failure = await failureOf(dispatches, kind, steps);
    if (failure !== '') failures.push(`${choice.key}: ${candidate}: ${failure}`);
  }
  return failures;
}

/** No form that counts on four or eight lanes in order. */
function isForHardware({ program }: Dispatch): boolean {
  return (program.overrides['WG'] ?? Infinity) >= 16;
}

describe.each(KINDS)('$adapterClass, $scalar activations, $format', (kind) => {
  test.each(REAL_SIZES)('$name', async (size) => {
    const failures: string[] = [];
    for (const tokens of STEPS) {
      const steps = [plainStep(1, 0), { ...plainStep(tokens, CONTEXT_TOKENS - tokens), penalty: 1.1 }];
      const { choices, dispatches } = lowered(size, kind, tokens);
      for (const choice of choices) failures.push(...(await failuresOf(choice, kind, steps)));
      for (const dispatch of dispatches) failures.push(await failureOf([dispatch], kind, steps));
    }
    expect(failures.filter((failure) => failure !== '')).toEqual([]);
  });
});
