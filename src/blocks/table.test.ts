import { expect, test } from 'vitest';
import type { BlockSpec, MoeSpec } from '../models/spec.ts';
import type { Mixer, Router } from './block.ts';
import { EXPERT_KINDS } from './experts/index.ts';
import { MIXERS } from './mixers/index.ts';
import { ROUTERS } from './routers/index.ts';
import { loadBlocks } from './table.ts';

test.each([
  ['mixers', MIXERS],
  ['routers', ROUTERS],
  ['expert kinds', EXPERT_KINDS],
])('%s are found by their own kind', async (_name, table) => {
  for (const [key, load] of Object.entries(table)) expect(await load()).toMatchObject({ kind: key });
});

const mixer: Mixer = { kind: 'attention', add: (_site, x) => x };
const router: Router = { kind: 'mine', most: () => 1, add: (site) => site.routes(1) };

const layersOf = (...blocks: readonly BlockSpec[]) => [
  { sublayers: blocks.map((block) => ({ norm: '', block })) },
];
const moe = (score: string, expert: string): MoeSpec => ({
  kind: 'moe',
  experts: 1,
  router: { score: { kind: score }, select: { kind: 'topK', k: 1 } },
  expert: { kind: expert },
});

test('blocks of a family take precedence over those of the same kind', async () => {
  const { router: mine, expert } = moe('mine', 'gated');
  const layers = layersOf({ kind: 'attention' }, { kind: 'dense' }, moe('mine', 'gated'));
  const blocks = await loadBlocks({ layers }, { mixers: [mixer], routers: [router] });
  expect(blocks.mixer({ kind: 'attention' })).toBe(mixer);
  expect(blocks.mixer({ kind: 'dense' })).toBe(MIXERS.dense());
  expect(blocks.router(mine)).toBe(router);
  expect(blocks.expert(expert)).toBe(await EXPERT_KINDS.gated());
  const usual = await loadBlocks({ layers: layersOf({ kind: 'attention' }) });
  expect(usual.mixer({ kind: 'attention' })).toBe(await MIXERS.attention());
});

test('a block that no layer names is not loaded', async () => {
  const blocks = await loadBlocks({ layers: layersOf(moe('linear', 'gated')) });
  expect(() => blocks.expert({ kind: 'neuron' })).toThrow(
    'the expert kind "neuron" is not loaded: no layer of the parsed spec names it',
  );
});

test.each(['constructor', '__proto__', 'mine', ''])(
  'the kind "%s" is rejected, and the message lists the known ones',
  async (kind) => {
    const refused = (what: string, known: string, spec: BlockSpec) =>
      expect(loadBlocks({ layers: layersOf(spec) })).rejects.toMatchObject({
        code: 'unsupported-model',
        message: expect.stringContaining(`no ${what} is called "${kind}"; wanted one of ${known};`) as string,
      });
    await refused(
      'mixer',
      'attention, dense, biasedAttention, latentAttention, deltaNet, stateSpace, shortConv',
      { kind },
    );
    await refused('expert kind', 'gated, reluSquared, neuron', moe('linear', kind));
    await refused('router', 'linear, product, described, productKeys, aliased, analytic', moe(kind, 'gated'));
  },
);
