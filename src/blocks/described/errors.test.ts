/** What routing refuses at run time, on the reference (section 7 of the format). */
import { expect, test } from 'vitest';
import { routesOf, type RoutingRun, type WrittenRouting } from './identities.testing.ts';

const scores = Float32Array.from([0, 1, 2, 3, 3, 2, 1, 0]);
const run: RoutingRun = { scores, experts: 4, most: 2 };
const router: WrittenRouting = { transform: [{ kind: 'softmax' }], select: { kind: 'topK', k: 2 } };

test.each<[string, string, WrittenRouting, Partial<RoutingRun>, RegExp]>([
  ['NaN among the scores', 'non-finite', router, { scores: scores.with(5, NaN) }, /NaN .* token 1/],
  [
    'more routes than `most`',
    'bad-input',
    { ...router, select: { kind: 'all' } },
    {},
    /token 0 has 4 experts; `most` allows 2/,
  ],
  [
    'a replay of an expert that the mask forbids',
    'bad-input',
    router,
    { hooks: { mask: [2], replay: { ids: 'ids' } }, tensors: { ids: Uint32Array.from([1, 0, 2, 1]) } },
    /expert 2/,
  ],
])('%s', (_name, code, described, more, message) => {
  const broken = () => routesOf(described, { ...run, ...more });
  expect(broken).toThrow(expect.objectContaining({ code }));
  expect(broken).toThrow(message);
});

test('a replay without masked experts is no error', () => {
  const more = {
    hooks: { mask: [2], replay: { ids: 'ids' } },
    tensors: { ids: Uint32Array.from([1, 0, 3, 1]) },
  };
  expect([...routesOf(router, { ...run, ...more }).ids]).toEqual([1, 0, 3, 1]);
});
