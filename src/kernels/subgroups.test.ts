/**
 * The sums over subgroups, on subgroups of any size and shape. No adapter here has other subgroups than four or eight lanes in
 * order, so their built-in functions are replaced by ones that look up in a table which lanes belong together.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { create } from 'webgpu';
import reduce from '../../shaders/lib/reduce-subgroup.wgsl?raw';
import reduce4 from '../../shaders/lib/reduce4-subgroup.wgsl?raw';
import rows1 from '../../shaders/lib/rows-1-subgroup.wgsl?raw';
import rows4 from '../../shaders/lib/rows-4-subgroup.wgsl?raw';
import team from '../../shaders/lib/team-subgroup.wgsl?raw';
import { Gpu } from '../gpu/device.ts';
import { allPrograms } from './index.ts';
import { defineKernel } from './kernel.ts';
import { randomStream, runKernel } from './testing.ts';

const dawn = create(['enable-dawn-features=disable_workgroup_init']);
const gpu = await Gpu.open({ gpu: dawn });
afterAll(() => {
  gpu.dispose();
  void dawn; // Dawn goes when this object is collected
});

/** `lanes`: which subgroup each lane of the workgroup is in. All four functions are called by all lanes together. */
const STAND_INS = `
override WG: u32;
@group(0) @binding(0) var<storage, read> lanes: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
var<workgroup> told: array<Told, WG>;
var<private> own_lane: u32;

fn tell(value: Told) {
  workgroupBarrier();
  told[own_lane] = value;
  workgroupBarrier();
}

fn stand_in_add(value: Told) -> Told {
  tell(value);
  var sum = Told();
  for (var other = 0u; other < WG; other++) {
    if (lanes[other] == lanes[own_lane]) {
      sum += told[other];
    }
  }
  return sum;
}

fn stand_in_max(value: Told) -> Told {
  tell(value);
  var largest = value;
  for (var other = 0u; other < WG; other++) {
    if (lanes[other] == lanes[own_lane]) {
      largest = max(largest, told[other]);
    }
  }
  return largest;
}

fn stand_in_size() -> u32 {
  var size = 0u;
  for (var other = 0u; other < WG; other++) {
    size += u32(lanes[other] == lanes[own_lane]);
  }
  return size;
}

fn stand_in_rank() -> u32 {
  var rank = 0u;
  for (var other = 0u; other < own_lane; other++) {
    rank += u32(lanes[other] == lanes[own_lane]);
  }
  return rank;
}

fn stand_in_lowest() -> u32 {
  var lowest = own_lane;
  for (var other = WG; other > 0u; other--) {
    lowest = select(lowest, other - 1u, lanes[other - 1u] == lanes[own_lane]);
  }
  return lowest;
}`;

/** Every built-in function that the libraries use; another would not compile here. */
function replaced(text: string): string {
  return text
    .replaceAll('subgroupAdd(1u)', 'stand_in_size()')
    .replaceAll('subgroupExclusiveAdd(1u)', 'stand_in_rank()')
    .replaceAll('subgroupMin(lane)', 'stand_in_lowest()')
    .replaceAll('subgroupAdd(', 'stand_in_add(')
    .replaceAll('subgroupMax(', 'stand_in_max(');
}

const SPREAD = 'vec4<f32>(v, 2.0 * v, 3.0 * v, 4.0 * v)';
const LIBRARIES = {
  reduce: {
    told: 'f32',
    text: reduce,
    // twice, since the second call finds the scratch of the first
    sum: 'reduce_sum(v, lane) + 0.0 * reduce_max(v, lane) + reduce_sum(v, lane)',
    factor: 2,
  },
  'reduce, the largest': { told: 'f32', text: reduce, sum: 'reduce_max(v, lane)', factor: 0 },
  reduce4: {
    told: 'vec4<f32>',
    text: reduce4,
    sum: `reduce4(${SPREAD}, lane).w + reduce4(${SPREAD}, lane).x`,
    factor: 5,
  },
  'team of rows-1': {
    told: 'vec4<f32>',
    text: `alias Acc = vec4<f32>;\n${rows1}\n${team}`,
    sum: `team_sum(${SPREAD}, lane).w`,
    factor: 4,
  },
  'team of rows-4': {
    told: 'vec4<f32>',
    text: `alias Acc = mat4x4<f32>;\n${rows4}\n${team}`,
    sum: `team_sum(Acc(${SPREAD}, ${SPREAD}, ${SPREAD}, ${SPREAD}), lane)[2].y`,
    factor: 2,
  },
} as const;
type Library = keyof typeof LIBRARIES;

const probe = defineKernel({
  name: 'probe',
  bindings: { lanes: 'read', values: 'read', result: 'write' },
  params: {},
  variants: [] as readonly { readonly library: Library; readonly wg: number }[],
  parts: ({ library }) => {
    const { told, text, sum } = LIBRARIES[library];
    const main = `
      @compute @workgroup_size(WG)
      fn main(@builtin(local_invocation_index) lane: u32) {
        own_lane = lane;
        let v = values[lane];
        result[lane] = ${sum};
      }`;
    return [
      { name: 'stand-ins', text: `alias Told = ${told};\n${STAND_INS}` },
      { name: library, text: replaced(text) },
      { name: 'main', text: main },
    ];
  },
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ library, wg }) => `probe/${library}/${wg}`,
  grid: () => [1, 1, 1],
});

const next = randomStream(3);

/** The subgroup of each of `wg` lanes. */
const SHAPES: Readonly<Record<string, (wg: number) => number[]>> = {
  ...Object.fromEntries(
    [4, 8, 16, 32, 64, 128].map((size) => [
      `of ${size}`,
      (wg) => lanesOf(wg, (lane) => Math.floor(lane / size)),
    ]),
  ),
  'of 16, the last half empty': (wg) => lanesOf(wg, (lane) => Math.floor((lane + 8) / 16)),
  'of differing sizes': (wg) => lanesOf(wg, (lane) => Math.floor(Math.sqrt(lane))),
  'every fourth lane': (wg) => lanesOf(wg, (lane) => lane % 4),
  'at random': (wg) => lanesOf(wg, () => Math.floor(5 * next())),
  'of one': (wg) => lanesOf(wg, (lane) => lane),
};

function lanesOf(wg: number, subgroupOf: (lane: number) => number): number[] {
  return Array.from({ length: wg }, (_, lane) => subgroupOf(lane));
}

describe.each(Object.keys(LIBRARIES) as Library[])('%s', (library) => {
  test.each(library.startsWith('team') ? [32] : [32, 64, 256])('%i lanes', async (wg) => {
    // Whole numbers: sums are exact in any order.
    const values = Float32Array.from({ length: wg }, () => Math.floor(200 * next()) - 100);
    const sum = values.reduce((total, value) => total + value, 0);
    const { factor } = LIBRARIES[library];
    const want = factor === 0 ? Math.max(...values) : factor * sum;
    for (const [name, shape] of Object.entries(SHAPES)) {
      const { result } = await runKernel(
        gpu,
        probe,
        { library, wg },
        {
          buffers: { lanes: Uint32Array.from(shape(wg)), values, result: { type: 'f32', count: wg } },
          params: {},
          size: {},
        },
      );
      expect([...new Set(result)], `subgroups ${name}`).toEqual([want]);
    }
  });
});

const BUILT_INS = /\b(?:subgroup|quad)[A-Z]\w*\(/;

test('forms for hardware use subgroups only through these libraries, and on f32', () => {
  const known = new Set([reduce, reduce4, rows1, rows4, team]);
  const wide = allPrograms.filter(({ overrides }) => (overrides['WG'] ?? Infinity) >= 16);
  const users = wide.filter(({ features }) => features.includes('subgroups'));
  expect(users.filter(({ features }) => features.includes('shader-f16')).length).toBeGreaterThan(20);
  for (const { key, parts } of users) {
    const others = parts.filter(
      ({ text }) => BUILT_INS.test(text.replaceAll(/\/\/.*/g, '')) && !known.has(text),
    );
    expect(others, key).toEqual([]);
  }
  for (const text of known) expect(text).not.toMatch(/\b(?:scalar4?|f16)\b/);
  const without = wide.filter(({ features }) => !features.includes('subgroups'));
  for (const { key, parts } of without) {
    for (const { text } of parts) expect(text.replaceAll(/\/\/.*/g, ''), key).not.toMatch(BUILT_INS);
  }
});
