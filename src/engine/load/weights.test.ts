/** Dense weights over a link with a latency: how many reads are under way, in how many rounds all have come, and what is left. */
import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../containers/index.ts';
import { f32Safetensors, safetensorsBytes } from '../../containers/safetensors.testing.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { Weight } from '../../graph/tensor.ts';
import { memoryFolder } from '../../io/memory.ts';
import type { FolderSource, ReadOptions } from '../../io/source.ts';
import { openKernels } from '../../simd/modules.ts';
import { loadOnCpu } from './cpu-load.ts';
import { uploadWeights } from './gpu-load.ts';
import { DenseWeights } from './simd-load.ts';
import { readWeights, type ReadContext } from './weights.ts';

const COLS = 8;
const COUNT = 40;

const valuesOf = (index: number) => Array.from({ length: 2 * COLS }, (_, at) => index + at / 64);

const FILE = f32Safetensors({
  ...Object.fromEntries(
    Array.from({ length: COUNT }, (_, i) => [`t${i}`, { shape: [2, COLS], values: valuesOf(i) }]),
  ),
});

const weights: readonly Weight[] = Array.from({ length: COUNT }, (_, index) => ({
  kind: 'weight',
  name: `w${index}`,
  rows: 2,
  cols: COLS,
  exact: true,
  source: { kind: 'checkpoint', parts: [{ tensor: `t${index}` }] },
}));

/** A folder whose reads of weights are answered in rounds: all that were asked for by then, once nothing else goes on. */
function distant(
  folder: FolderSource,
  meet: (read: number, options: ReadOptions) => Promise<void> | void = () => {},
) {
  const state = { inFlight: 0, most: 0, reads: 0, rounds: 0 };
  let round: Promise<void> | undefined;
  const nextRound = async () => {
    for (let quiet = 0, seen = -1; quiet < 2; quiet = seen === state.reads ? quiet + 1 : 0) {
      seen = state.reads;
      await new Promise((resolve) => setTimeout(resolve));
    }
    round = undefined;
    state.rounds += 1;
  };
  const open: FolderSource['open'] = async (name, opening) => {
    const file = await folder.open(name, opening);
    if (!file || !name.endsWith('.safetensors')) return file;
    return {
      name,
      sizeBytes: file.sizeBytes,
      read: async (offsetBytes, sizeBytes, options = {}) => {
        if (options.isPeek) return file.read(offsetBytes, sizeBytes, options);
        state.inFlight += 1;
        state.most = Math.max(state.most, state.inFlight);
        const index = state.reads++;
        try {
          await (round ??= nextRound());
          await meet(index, options);
          return await file.read(offsetBytes, sizeBytes, options);
        } finally {
          state.inFlight -= 1;
        }
      },
    };
  };
  return { folder: { label: folder.label, open }, state };
}

const files = { 'config.json': '{"model_type":"toy"}', 'model.safetensors': FILE };

/** A GPU whose buffers are bytes. */
function fakeGpu() {
  const gpu = {
    limits: { maxBindingBytes: 2 ** 27, maxBufferSizeBytes: 2 ** 28 },
    allocating: async (_: string, create: () => unknown) => create(),
    createBuffer: ({ sizeBytes }: { sizeBytes: number }) => ({ bytes: new Uint8Array(sizeBytes), sizeBytes }),
    write: (buffer: { bytes: Uint8Array }, offsetBytes: number, bytes: Uint8Array) =>
      buffer.bytes.set(bytes, offsetBytes),
  };
  const read = (buffer: unknown) => [...new Float32Array((buffer as { bytes: Uint8Array }).bytes.buffer)];
  return { gpu: gpu as unknown as Gpu, read };
}

type Load = (
  graph: { readonly weights: readonly Weight[] },
  context: ReadContext,
  advance: (bytes: number) => void,
) => Promise<number[][]>;

const LOADERS: Readonly<Record<string, Load>> = {
  gpu: async (graph, context, advance) => {
    const { gpu, read } = fakeGpu();
    const uploaded = await uploadWeights(gpu, graph, context, [], { advance });
    expect([...uploaded.keys()]).toEqual(graph.weights.map(({ name }) => name));
    return [...uploaded.values()].map(({ parts }) => read(parts[0]?.slice.buffer));
  },
  cpu: async (graph, context, advance) => {
    const kernels = await openKernels({ source: undefined, threads: 1, startThreads: undefined });
    if (!('module' in kernels)) return expect.fail('no kernels');
    const dense = new DenseWeights(kernels);
    await dense.read(graph, context, advance);
    return graph.weights.map((weight) => {
      const { memory, parts } = dense.get(weight);
      const at = parts[0]?.at ?? 0;
      return [...new Float32Array(memory.bytes.slice(at, at + 4 * weight.rows * weight.cols).buffer)];
    });
  },
  reference: async (graph, context, advance) => {
    const { weight } = await loadOnCpu(graph, undefined, context, advance);
    return graph.weights.map((wanted) => [...weight(wanted)]);
  },
};

describe.each(Object.entries(LOADERS))('%s', (_, load) => {
  test('40 weights come in 3 rounds of at most 16 reads, the same as one by one, in their order', async () => {
    const { folder, state } = distant(memoryFolder(files));
    const checkpoint = await openCheckpoint(folder);
    const heard: number[] = [];
    const loaded = await load({ weights }, { checkpoint }, (bytes) => heard.push(bytes));
    expect(loaded).toEqual(weights.map((_weight, index) => valuesOf(index)));
    expect(heard).toEqual(weights.map(() => 8 * COLS));
    expect(state).toMatchObject({ most: 16, reads: COUNT, inFlight: 0 });
    expect(state.rounds).toBe(3);
  });

  test('a large weight comes by rows, each where it belongs', async () => {
    const [rows, cols] = [4500, 1024];
    const sizeBytes = rows * cols * 4;
    const header = { t: { dtype: 'F32', shape: [rows, cols], data_offsets: [0, sizeBytes] } };
    const file = safetensorsBytes(header, sizeBytes);
    const values = new Float32Array(rows * cols).map((_value, index) => index % 9973);
    file.set(new Uint8Array(values.buffer), file.byteLength - sizeBytes);
    const checkpoint = await openCheckpoint(memoryFolder({ ...files, 'model.safetensors': file }));
    const source = { kind: 'checkpoint', parts: [{ tensor: 't' }] } as const;
    const weight: Weight = { ...weights[0]!, rows, cols, exact: false, source };
    const heard: number[] = [];
    const [loaded] = await load({ weights: [weight] }, { checkpoint }, (bytes) => heard.push(bytes));
    expect(heard).toEqual([2304, 2196].map((count) => count * cols * 4)); // at most 16 MiB
    expect(loaded?.length).toBe(values.length);
    expect(loaded?.every((value, index) => value === values[index])).toBe(true);
  });

  test('an error in one read ends all others, and nothing is under way after it', async () => {
    const aborted: boolean[] = [];
    const { folder, state } = distant(memoryFolder(files), async (read, { signal }) => {
      if (read === 5) throw new Error('cable cut');
      if (read < 5) return;
      await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
      aborted.push(signal?.aborted === true);
      signal?.throwIfAborted();
    });
    const checkpoint = await openCheckpoint(folder);
    await expect(load({ weights }, { checkpoint }, () => {})).rejects.toThrow('cable cut');
    expect(state.inFlight).toBe(0);
    expect(aborted.length).toBeGreaterThanOrEqual(10);
    const { reads } = state;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([state.reads, aborted.every(Boolean)]).toEqual([reads, true]);
  });

  test('an abort ends all reads', async () => {
    const abort = new AbortController();
    const { folder, state } = distant(memoryFolder(files), async (read, { signal }) => {
      if (read === 0) abort.abort(new Error('enough'));
      signal?.throwIfAborted();
    });
    const checkpoint = await openCheckpoint(folder);
    await expect(load({ weights }, { checkpoint, signal: abort.signal }, () => {})).rejects.toThrow('enough');
    expect(state).toMatchObject({ inFlight: 0, reads: 16 });
  });
});

test('parts that are stacked come together', async () => {
  const { folder, state } = distant(memoryFolder(files));
  const checkpoint = await openCheckpoint(folder);
  const parts = [{ tensor: 't3' }, { tensor: 't1' }, { tensor: 't7', rowStart: 1, rowCount: 1 }];
  const weight: Weight = { ...weights[0]!, rows: 5, source: { kind: 'checkpoint', parts } };
  const wanted = [...valuesOf(3), ...valuesOf(1), ...valuesOf(7).slice(COLS)];
  for await (const [, bytes] of readWeights({ weights: [weight] }, { checkpoint })) {
    expect([...new Float32Array(bytes.buffer)]).toEqual(wanted);
  }
  expect(state).toMatchObject({ most: 3, rounds: 1 });
});

test('the bytes under way are those of the file where it has more than is kept', async () => {
  const rows = 3000;
  const sizeBytes = 3 * rows * 1024 * 4;
  const wide = { t: { dtype: 'F32', shape: [3 * rows, 1024], data_offsets: [0, sizeBytes] } };
  const file = safetensorsBytes(wide, sizeBytes);
  const { folder, state } = distant(memoryFolder({ ...files, 'model.safetensors': file }));
  const checkpoint = await openCheckpoint(folder);
  const weightAt = (index: number): Weight => ({
    ...weights[0]!,
    name: `wide ${index}`,
    rows,
    cols: 1024,
    exact: false,
    source: { kind: 'checkpoint', parts: [{ tensor: 't', rowStart: index * rows, rowCount: rows }] },
  });
  const all = { weights: [0, 1, 2].map(weightAt) };
  // Each has 12 MB in the file, 3.3 MB as q8_0; 32 MiB hold two of them.
  for await (const [{ part }] of readWeights(all, { checkpoint, quantize: 'q8_0' })) {
    expect(part.format).toBe('q8_0');
  }
  expect(state.most).toBe(2);
});
