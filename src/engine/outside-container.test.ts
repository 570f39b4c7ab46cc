/** A container defined from outside: one JSON file that holds a config and tensors in base64. This file is all it needs. */
import { expect, test } from 'vitest';
import type { ModelFamily } from '../blocks/family.ts';
import type { Checkpoint, TensorBytes, TensorInfo, TensorReadOptions } from '../containers/checkpoint.ts';
import type { Container } from '../containers/container.ts';
import { openCheckpoint } from '../containers/index.ts';
import { AtomoeError } from '../errors.ts';
import { memoryFolder } from '../io/memory.ts';
import { readJson, type JsonObject } from '../io/json-file.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { FolderSource } from '../io/source.ts';
import { DTYPE_BYTES, toF32, type NumericDtype } from '../weights/dtypes.ts';
import { LocalEngine } from './engine.ts';
import { largestError, readGolden, type FixtureGolden } from './testing.ts';

interface ToyTensor {
  readonly dtype: NumericDtype;
  readonly shape: readonly number[];
  readonly data: string; // base64
}

interface ToyFile {
  readonly config: JsonObject;
  readonly tensors: Readonly<Record<string, ToyTensor>>;
}

const FILE = 'model.toy.json';

const toy: Container = {
  name: 'toy',
  files: [FILE],
  async open({ folder, options }) {
    const found = await readJson(folder, FILE, options);
    if (!found) return undefined;
    const { config, tensors } = found as unknown as ToyFile;
    options.accept?.(config, folder.label);
    return toyCheckpoint(folder.label, config, new Map(Object.entries(tensors)));
  },
};

function toyCheckpoint(
  label: string,
  config: JsonObject,
  tensors: ReadonlyMap<string, ToyTensor>,
): Checkpoint {
  const tensor = (name: string): TensorInfo | undefined => {
    const found = tensors.get(name);
    if (!found) return undefined;
    const { dtype, shape } = found;
    const sizeBytes = DTYPE_BYTES[dtype] * shape.reduce((product, size) => product * size, 1);
    return { name, file: FILE, dtype, shape, offsetBytes: 0, sizeBytes };
  };
  const read = async (name: string, options: TensorReadOptions = {}): Promise<TensorBytes> => {
    const found = tensors.get(name);
    if (!found) throw new AtomoeError('bad-file', `${label}: no ${name}; wanted one; download it again`);
    const { dtype, shape, data } = found;
    const all = Uint8Array.from(Buffer.from(data, 'base64'));
    const rows = shape.length <= 1 ? (shape[0] ?? 1) : shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const { rowStart = 0, rowCount = rows - rowStart } = options;
    const rowBytes = all.byteLength / rows;
    return { dtype, shape, bytes: all.slice(rowStart * rowBytes, (rowStart + rowCount) * rowBytes) };
  };
  return {
    label,
    config,
    generationConfig: undefined,
    metadata: {},
    files: [{ name: FILE, sizeBytes: 1 }],
    totalBytes: 1,
    unrangedBytes: 0,
    names: () => new Map(tensors).keys(),
    tensor,
    lost: new Map(),
    read,
    async readF32(name, options) {
      const { dtype, bytes } = await read(name, options);
      return toF32(dtype as NumericDtype, bytes);
    },
    dispose() {},
  };
}

/** The fixture as the toy container stores it. */
async function stored(folder: FolderSource): Promise<FolderSource> {
  const checkpoint = await openCheckpoint(folder);
  const tensors: Record<string, ToyTensor> = {};
  for (const name of checkpoint.names()) {
    const { dtype, bytes } = await checkpoint.read(name);
    const shape = checkpoint.tensor(name)?.shape ?? [];
    tensors[name] = { dtype: dtype as NumericDtype, shape, data: Buffer.from(bytes).toString('base64') };
  }
  const { config } = checkpoint;
  checkpoint.dispose();
  return memoryFolder({ [FILE]: JSON.stringify({ config, tensors }) }, 'toy');
}

test('a model loads and runs from a container that a caller brings', async () => {
  const fixture = await nodeFolder('fixtures/models/qwen2_moe');
  const golden = await readGolden<FixtureGolden>(fixture);
  const folder = await stored(fixture);
  const engine = await LocalEngine.open({ device: 'cpu', containers: [toy] });
  const info = await engine.load(folder);
  expect(info.family).toBe('qwen2_moe');
  expect(largestError(await engine.logits(golden.ids), golden.logits.flat())).toBeLessThan(1e-4);
  await engine.load(fixture); // the built-in ones are still asked
  await expect(
    engine.load(memoryFolder({ 'config.json': JSON.stringify({ model_type: 'olmoe' }) })),
  ).rejects.toThrow(
    'model.safetensors is missing (and so are atomoe.json, model.safetensors.index.json, model.toy.json)',
  );
  engine.dispose();
  const plain = await LocalEngine.open({ device: 'cpu' });
  await expect(plain.load(folder)).rejects.toMatchObject({ code: 'bad-file' });
  plain.dispose();
});

test('a container that explains may ask for the configs of a folder that has none', async () => {
  const curious: Container = {
    ...toy,
    async explain(model) {
      await model.configs();
      return undefined;
    },
  };
  const engine = await LocalEngine.open({ device: 'cpu', containers: [curious] });
  await expect(engine.load(memoryFolder({}))).rejects.toThrow('config.json is missing');
  engine.dispose();
});

test.each<[what: string, open: () => unknown, says: RegExp]>([
  ['gives something else', () => 5, /the container "odd" opened something without names\(\)/],
  ['gives an empty object', () => ({}), /the container "odd" opened something without names\(\)/],
  ['throws', () => Promise.reject(new TypeError('no such byte')), /the container "odd" threw no such byte/],
])('a container that %s is named', async (_what, open, says) => {
  const odd = { name: 'odd', files: [], open } as unknown as Container;
  const engine = await LocalEngine.open({ device: 'cpu', containers: [odd] });
  await expect(engine.load(await nodeFolder('fixtures/models/olmoe'))).rejects.toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(says),
  });
  engine.dispose();
});

test.each<[what: string, parse: () => unknown, says: RegExp]>([
  ['gives nothing', () => undefined, /the family of olmoe parsed no spec with layers/],
  ['gives a promise', () => Promise.resolve({ layers: [] }), /the family of olmoe parsed no spec/],
  ['throws', () => (undefined as unknown as { x: number }).x, /the family of olmoe threw /],
])('a family that %s is named', async (_what, parse, says) => {
  const family = { modelTypes: ['olmoe'], parse } as unknown as ModelFamily;
  const engine = await LocalEngine.open({ device: 'cpu', families: [family] });
  await expect(engine.load(await nodeFolder('fixtures/models/olmoe'))).rejects.toMatchObject({
    code: 'bad-input',
    message: expect.stringMatching(says),
  });
  engine.dispose();
});
