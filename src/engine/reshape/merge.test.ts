import { describe, expect, test } from 'vitest';
import type { GateIo } from '../../graph/ops/gate.ts';
import { draftModel } from '../load/planning.ts';
import { firstDifference, FIXTURE_FAMILIES, largestError, repositoryFolder } from '../testing.ts';
import { Calibration } from './calibrate.ts';
import { groupExperts, merged } from './merge.ts';
import { pairs, withPairs } from './merge.testing.ts';
import { pruned } from './prune.ts';
import { draftReshaped, runModel } from './reshape.testing.ts';

const IDS = [3, 17, 5, 40, 21, 9, 33, 2, 11, 60, 1, 8];

async function fixture(family: string) {
  return draftModel(await repositoryFolder(`fixtures/models/${family}`), {});
}

describe('merged experts that are the same', () => {
  test('give what they gave, and both weights where a token chose two of them', async () => {
    const drafted = await withPairs();
    const small = await draftReshaped(merged(drafted, pairs(drafted)));
    expect(small.experts?.units(0)).toBe(
      drafted.expertLayers[0]?.experts === undefined ? 0 : drafted.expertLayers[0].experts / 2,
    );
    const [found, wanted] = [await runModel(small, IDS), await runModel(drafted, IDS)];
    expect(largestError(found.logits, wanted.logits)).toBeLessThan(1e-6);
    const { experts = 0, most = 1 } = drafted.expertLayers[0] ?? {};
    let both = 0;
    for (const [layer, ids] of wanted.ids.entries()) {
      for (let token = 0; token < IDS.length; token += 1) {
        const sums = new Map<number, number>();
        for (let place = token * most; place < (token + 1) * most; place += 1) {
          const physical = (ids[place] ?? 0) >> 1;
          if (sums.has(physical)) both += 1;
          sums.set(physical, (sums.get(physical) ?? 0) + (wanted.weights[layer]?.[place] ?? NaN));
        }
        const run = found.ids[layer]?.slice(token * most, (token + 1) * most) ?? [];
        const weights = found.weights[layer]?.slice(token * most, (token + 1) * most) ?? [];
        expect(run.filter((id) => id < experts / 2)).toEqual([...sums.keys()]);
        for (const [place, id] of run.entries()) expect(weights[place]).toBeCloseTo(sums.get(id) ?? 0, 6);
      }
    }
    expect(both).toBeGreaterThan(0);
  });

  test('but for the order of their neurons', async () => {
    const rotated = await withPairs((values, matrix, [rows = 0, cols = 0]) =>
      values.map((_, at) => {
        const [row, col] = [Math.floor(at / cols), at % cols];
        // Neurons, rows of gate and up and columns of down, are five places further.
        const from = matrix === 'down' ? row * cols + ((col + 5) % cols) : ((row + 5) % rows) * cols + col;
        return values[from] ?? NaN;
      }),
    );
    const small = await draftReshaped(merged(rotated, pairs(rotated)));
    const [found, wanted] = [await runModel(small, IDS), await runModel(rotated, IDS)];
    expect(largestError(found.logits, wanted.logits)).toBeLessThan(1e-6);
  });
});

test('experts count as often as they were used', async () => {
  const drafted = await withPairs((values) => values.map((value) => 3 * value));
  const [thrice, unused] = [(id: number) => (id % 2 === 0 ? 1 : 3), () => 0];
  for (const [uses, factor] of [
    [thrice, 2.5],
    [unused, 2],
  ] as const) {
    const { checkpoint } = await draftReshaped(merged(drafted, pairs(drafted, uses)));
    const found = await checkpoint.readF32('atomoe.experts.1.2.down');
    const first = await drafted.checkpoint.readF32('model.layers.1.mlp.experts.4.down_proj.weight');
    expect(
      largestError(
        found,
        first.map((value) => factor * value),
      ),
    ).toBeLessThan(1e-6);
  }
});

test.each(FIXTURE_FAMILIES)('%s: groups of one expert each are the model', async (family) => {
  const drafted = await fixture(family);
  const groups = drafted.expertLayers.map(({ experts }) => {
    const ids = Array.from({ length: experts }, (_, id) => id);
    return { alias: ids, leaders: ids, uses: new Float64Array(experts).fill(1) };
  });
  const small = await draftReshaped(merged(drafted, groups));
  const [found, wanted] = [await runModel(small, IDS), await runModel(drafted, IDS)];
  expect(found.ids).toEqual(wanted.ids);
  expect(firstDifference(found.logits, wanted.logits)).toBe('equal');
});

describe('groups', () => {
  const texts = [IDS];

  test('are led by the most used experts', async () => {
    const drafted = await fixture('qwen3_moe');
    const calibration = await Calibration.open(drafted);
    const groups = await groupExperts(drafted, calibration, 4, { texts });
    const use = await calibration.expertUse(texts);
    for (const [bank, { alias, leaders, uses }] of groups.entries()) {
      expect(uses).toEqual(use[bank]?.uses);
      const least = Math.min(...leaders.map((id) => uses[id] ?? 0));
      uses.forEach((count, id) => leaders.includes(id) || expect(count).toBeLessThanOrEqual(least));
      leaders.forEach((id, index) => expect(alias[id]).toBe(index));
      expect(new Set(alias).size).toBe(4);
    }
    const small = await draftReshaped(merged(drafted, groups));
    expect(small.numbers).toEqual({ count: 8, ids: groups.map(({ leaders }) => leaders) });
  });

  test('follow the logits of the router', async () => {
    // Rows of the router that point the same way have logits that agree.
    const drafted = await withPairs();
    const weights = await drafted.checkpoint.readF32('model.layers.0.mlp.gate.weight');
    expect(weights.length).toBeGreaterThan(0);
    const calibration = await Calibration.open(drafted);
    const logits: number[][] = [];
    await calibration.run(texts, (graph, get) => {
      const gate = graph.nodes.find(({ op }) => op === 'gate');
      if (!gate) throw new Error('no gate');
      const values = [...get((gate.io as GateIo).logits)];
      for (let token = 0; token < IDS.length; token += 1) logits.push(values.slice(8 * token, 8 * token + 8));
    });
    const [{ alias, leaders } = { alias: [], leaders: [] }] = await groupExperts(drafted, calibration, 3, {
      texts,
    });
    const cosine = (a: number, b: number) => {
      const dot = (x: number, y: number) =>
        logits.reduce((sum, row) => sum + (row[x] ?? 0) * (row[y] ?? 0), 0);
      return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    };
    alias.forEach((group, expert) => {
      const own = cosine(expert, leaders[group] ?? 0);
      for (const leader of leaders) expect(cosine(expert, leader)).toBeLessThanOrEqual(own + 1e-12);
    });
  });

  test('are refused where there can be none', async () => {
    const drafted = await fixture('qwen3_moe');
    const calibration = await Calibration.open(drafted);
    for (const count of [1, 8, 2.5])
      await expect(groupExperts(drafted, calibration, count, { texts })).rejects.toThrow(
        /8 experts are to be merged into/,
      );
    const small = await draftReshaped(merged(drafted, pairs(drafted)));
    expect(() => merged(small, pairs(small))).toThrow(/the router scores by "aliased"/);
    expect(() =>
      pruned(
        small,
        pairs(small).map(() => [0, 1]),
      ),
    ).toThrow(/the router scores by "aliased"/);
  });
});

test.each([
  [[[0, 1, 2]], /atomoe\.experts\.alias is .*; wanted \d+ lists of 8 ids, from 0 on without gaps/],
  [Array(4).fill([0, 0, 0, 0, 2, 2, 2, 2]), /atomoe\.experts\.alias/],
  ['none', /atomoe\.experts\.alias is "none"/],
])('the alias %j is refused', async (alias, message) => {
  const drafted = await fixture('qwen3_moe');
  const model = merged(drafted, pairs(drafted));
  const { experts } = model.config['atomoe'] as { experts: object };
  const changed = { ...model, config: { ...model.config, atomoe: { experts: { ...experts, alias } } } };
  await expect(draftReshaped(changed)).rejects.toThrow(message);
});
