import { expect, test } from 'vitest';
import type { Program } from '../gpu/program.ts';
import { shareBuffers } from './liveness.ts';
import type { Dispatch } from './node.ts';
import { makeTensor, type Tensor } from './tensor.ts';

function program(bindings: Program['bindings']): Program {
  return { key: 'test', bindings, params: {}, parts: [], overrides: {}, features: [] };
}

/** A dispatch that reads some tensors and writes one. */
function step(reads: readonly Tensor[], write: Tensor): Dispatch {
  const bindings = Object.fromEntries([
    ...reads.map(({ name }) => [name, 'read'] as const),
    [write.name, 'write'] as const,
  ]);
  const buffers = Object.fromEntries([...reads, write].map((tensor) => [tensor.name, tensor]));
  return { program: program(bindings), buffers, params: () => ({}), grid: () => [1, 1, 1] };
}

const tensor = (name: string, perToken = 64) => makeTensor(name, { perToken });

function bufferOf(name: string, shared: ReturnType<typeof shareBuffers>): number {
  return shared.findIndex(({ tensors }) => tensors.some((member) => member.name === name));
}

test('a chain of any length needs two buffers', () => {
  const chain = Array.from({ length: 10 }, (_, index) => tensor(`t${index}`));
  const dispatches = chain.slice(1).map((write, index) => step([chain[index]!], write));
  expect(shareBuffers(dispatches, 4, 'f32')).toHaveLength(2);
});

test('no dispatch reads and writes one buffer', () => {
  const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map((name) => tensor(name)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const dispatches = [step([a], b), step([a, b], c), step([b], d), step([c, d], e)];
  const shared = shareBuffers(dispatches, 1, 'f32');
  for (const { buffers, program: used } of dispatches) {
    const written = Object.entries(used.bindings).filter(([, access]) => access === 'write');
    for (const [name] of written) {
      const others = Object.keys(buffers).filter((other) => other !== name);
      for (const other of others) expect(bufferOf(other, shared)).not.toBe(bufferOf(name, shared));
    }
  }
});

test('inputs and outputs have their own buffers', () => {
  const ids = makeTensor('ids', { role: 'input', type: 'u32', perToken: 1 });
  const logits = makeTensor('logits', { role: 'output', type: 'f32', fixed: 100 });
  const middle = tensor('middle');
  const shared = shareBuffers(
    [step([ids], middle), step([middle], logits), step([logits], tensor('after'))],
    1,
    'f32',
  );
  expect(shared[bufferOf('logits', shared)]?.tensors).toEqual([logits]);
  expect(shared[bufferOf('ids', shared)]?.tensors).toEqual([ids]);
});

test('sizes follow the number of tokens and the scalar type', () => {
  const wide = makeTensor('wide', { perToken: 100, fixed: 4 });
  const words = makeTensor('words', { type: 'u32', perToken: 100, fixed: 4 });
  const dispatches = [step([], wide), step([wide], words)];
  const size = (scalar: 'f32' | 'f16', name: string) => {
    const shared = shareBuffers(dispatches, 3, scalar);
    return shared[bufferOf(name, shared)]?.sizeBytes;
  };
  expect(size('f32', 'wide')).toBe(4 * 304);
  expect(size('f16', 'wide')).toBe(2 * 304);
  expect(size('f16', 'words')).toBe(4 * 304);
});

test('indirect arguments never share with storage tensors', () => {
  const args = makeTensor('args', { role: 'indirect', type: 'u32', fixed: 3 });
  const before = tensor('before');
  const after = tensor('after');
  const shared = shareBuffers([step([], before), step([], args), step([before], after)], 1, 'f32');
  expect(shared[bufferOf('args', shared)]).toMatchObject({ isIndirect: true, tensors: [args] });
});
