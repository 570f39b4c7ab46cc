import { expect, test } from 'vitest';
import type { Mixer, Router } from './block.ts';
import { EXPERT_KINDS } from './experts/index.ts';
import { MIXERS } from './mixers/index.ts';
import { ROUTERS } from './routers/index.ts';
import { blocksOf } from './table.ts';

test.each([
  ['mixers', MIXERS],
  ['routers', ROUTERS],
  ['expert kinds', EXPERT_KINDS],
])('%s are found by their own kind', (_name, table) => {
  for (const [key, { kind }] of Object.entries(table)) expect(kind).toBe(key);
});

const mixer: Mixer = { kind: 'attention', add: (_site, x) => x };
const router: Router = { kind: 'mine', most: () => 1, add: (site) => site.routes(1) };

test('blocks of a family go before those of the same kind', () => {
  const blocks = blocksOf({ blocks: { mixers: [mixer], routers: [router] } });
  expect(blocks.mixer({ kind: 'attention' })).toBe(mixer);
  expect(blocks.mixer({ kind: 'dense' })).toBe(MIXERS.dense);
  expect(blocks.router({ score: { kind: 'mine' }, select: { kind: 'topK', k: 1 } })).toBe(router);
  expect(blocksOf().mixer({ kind: 'attention' })).toBe(MIXERS.attention);
});

test.each(['constructor', '__proto__', 'mine', ''])(
  'the kind "%s" is refused with those that there are',
  (kind) => {
    const blocks = blocksOf();
    const message = (what: string, known: string) =>
      `no ${what} is called "${kind}"; wanted one of ${known};`;
    expect(() => blocks.mixer({ kind })).toThrow(message('mixer', 'attention, dense'));
    expect(() => blocks.expert({ kind })).toThrow(message('expert kind', 'gated, neuron'));
    expect(() => blocks.router({ score: { kind }, select: { kind: 'topK', k: 1 } })).toThrow(
      message('router', 'linear, product, productKeys'),
    );
  },
);
