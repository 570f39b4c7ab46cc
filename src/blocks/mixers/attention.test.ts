import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../graph/builder.ts';
import type { Weight } from '../../graph/tensor.ts';
import type { RopeScaling } from '../../kernels/attention/rope-angles.ts';
import type { ConfigValues } from '../../models/config.ts';
import { parseConfig } from '../../models/registry.testing.ts';
import type { AttentionSpec, LayerSpec, SublayerSpec } from '../../models/spec.ts';
import { buildDecoder } from '../decoder.ts';
import { loadBlocks } from '../table.ts';

const CONFIG = JSON.parse(readFileSync('fixtures/models/olmoe/config.json', 'utf8')) as ConfigValues;

/** The tables of rotary angles of a model's layers, in order, with one scaling per layer. */
async function ropeTables(scalings: readonly (RopeScaling | undefined)[]): Promise<Weight[]> {
  const { spec } = parseConfig(CONFIG, 'olmoe');
  const scaled = ({ sublayers }: LayerSpec, scaling: RopeScaling | undefined): LayerSpec => {
    const [first, ...others] = sublayers as [SublayerSpec, ...SublayerSpec[]];
    const block = first.block as AttentionSpec;
    const rope = { ...block.rope, ...(scaling ? { scaling } : {}) };
    return { sublayers: [{ ...first, block: { ...block, rope } as AttentionSpec }, ...others] };
  };
  const layers = spec.layers.map((layer, index) => scaled(layer, scalings[index]));
  const purpose = { logits: 'all', sample: false, contextTokens: 8 } as const;
  const blocks = await loadBlocks({ layers });
  const { nodes } = buildDecoder({ ...spec, layers }, purpose, new GraphBuilder(), blocks);
  return nodes
    .filter(({ op }) => op === 'rope-kv')
    .flatMap(({ reads }) =>
      reads.flatMap((ref) => (ref.kind === 'weight' && ref.source.kind === 'computed' ? [ref] : [])),
    );
}

const valuesOf = ({ source }: Weight) => (source.kind === 'computed' ? [...source.values()] : []);

const yarn = (amplitude: number): RopeScaling => ({
  kind: 'yarn',
  factor: 4,
  originalPositions: 4,
  betaFast: 32,
  betaSlow: 1,
  truncate: true,
  amplitude,
});

test.each<[string, RopeScaling | undefined, RopeScaling]>([
  ['whether they are scaled', undefined, { kind: 'linear', factor: 2 }],
  ['their factor', { kind: 'linear', factor: 2 }, { kind: 'linear', factor: 4 }],
  ['the last parameter', yarn(1), yarn(1.5)],
])('rotary tables that differ only in %s are separate', async (_what, one, other) => {
  const [first, second, third] = (await ropeTables([one, other, one])) as [Weight, Weight, Weight];
  expect(first).toBe(third);
  expect(second).not.toBe(first);
  expect(valuesOf(second)).not.toEqual(valuesOf(first));
});

test('equal scalings share a table, in any order of their parameters', async () => {
  const { kind, factor, ...rest } = yarn(1) as Extract<RopeScaling, { kind: 'yarn' }>;
  const tables = await ropeTables([yarn(1), { ...rest, factor, kind }, yarn(1)]);
  expect(tables).toHaveLength(3);
  expect(new Set(tables).size).toBe(1);
});
