import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { rmsNormReference } from '../kernels/norm/rms-norm.reference.ts';
import { randomNormal } from '../kernels/testing.ts';
import type { SimdKernels } from './kernels.ts';
import { withSharedMemory } from './shared-memory.ts';

const NAMES = ['plain', 'relaxed', 'plain-threads', 'relaxed-threads'];

const fileOf = (name: string) =>
  readFileSync(new URL(`../../simd/built/${name}.wasm`, import.meta.url)) as Uint8Array<ArrayBuffer>;

const bytesOf = (name: string) => {
  const [build = '', threads] = name.split('-');
  return threads ? withSharedMemory(fileOf(build)) : fileOf(build);
};

const accepted = NAMES.filter((name) => WebAssembly.validate(bytesOf(name)));

describe.each(accepted)('%s', (name) => {
  const module = new WebAssembly.Module(bytesOf(name));

  test('exports the same functions as the plain build, and imports a memory alone', () => {
    const plain = new WebAssembly.Module(bytesOf('plain'));
    expect(WebAssembly.Module.exports(module)).toEqual(WebAssembly.Module.exports(plain));
    expect(WebAssembly.Module.exports(module).every(({ kind }) => kind === 'function')).toBe(true);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  });

  test('runs over a memory of its kind only, and writes nothing when it is instantiated', () => {
    const own = { initial: 2, maximum: 65536, shared: name.endsWith('-threads') };
    const other = { ...own, shared: !own.shared };
    const memory = new WebAssembly.Memory(own);
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
    expect(
      () => new WebAssembly.Instance(module, { env: { memory: new WebAssembly.Memory(other) } }),
    ).toThrow(WebAssembly.LinkError);
    const [x, gain] = [randomNormal(8, 1), randomNormal(8, 2)];
    const floats = new Float32Array(memory.buffer, 65536, 24);
    floats.set(x);
    floats.set(gain, 8);
    const { rms_norm } = exports as unknown as SimdKernels;
    rms_norm(65536, 65536 + 32, 65536 + 64, 1, 8, 1e-3, 0, 1);
    const wanted = rmsNormReference(x, gain, { rows: 1, cols: 8, eps: 1e-3 });
    for (const [i, value] of wanted.entries()) expect(floats[16 + i]).toBeCloseTo(value, 5);
  });
});

test('a module without the import of a memory is refused', () => {
  expect(() => withSharedMemory(fileOf('plain').slice(0, 500))).toThrow('does not import env.memory');
});

test('both files together have at most 33 kB with gzip', () => {
  const sizes = ['plain', 'relaxed'].map((name) => gzipSync(fileOf(name), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(33_000);
});
