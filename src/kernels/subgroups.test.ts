/**
 * Sums over subgroups of any size and shape. The adapters of the tests have subgroups of four or eight consecutive lanes only,
 * so the built-in functions are replaced by functions that read the mapping of lanes to subgroups from a table.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { create } from 'webgpu';
import reduce from '../../shaders/lib/reduce-subgroup.wgsl?raw';
import reduce4 from '../../shaders/lib/reduce4-subgroup.wgsl?raw';
import rows1 from '../../shaders/lib/rows-1-subgroup.wgsl?raw';
import rows4 from '../../shaders/lib/rows-4-subgroup.wgsl?raw';
import team from '../../shaders/lib/team-subgroup.wgsl?raw';
import { Gpu } from '../gpu/device.ts';
import { defineKernel } from './kernel.ts';
import { loadedPrograms } from './programs.testing.ts';
import { randomStream, runKernel } from './testing.ts';

const dawn = create(['enable-dawn-features=disable_workgroup_init']);
const gpu = await Gpu.open({ gpu: dawn });
afterAll(() => {
  gpu.dispose();
  void dawn; // Dawn is destroyed when this object is collected
});

/** `lanes`: the subgroup of each lane of the workgroup. All functions are called in uniform control flow. */
const SIMULATED = `
override WG: u32;
@group(0) @binding(0) var<storage, read> lanes: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
var<workgroup> shared_values: array<Value, WG>;
var<private> own_lane: u32;

fn share(value: Value) {
  workgroupBarrier();
  shared_values[own_lane] = value;
  workgroupBarrier();
}

fn simulated_add(value: Value) -> Value {
  share(value);
  var sum = Value();
  for (var other = 0u; other < WG; other++) {
    if (lanes[other] == lanes[own_lane]) {
      sum += shared_values[other];
    }
  }
  return sum;
}

fn simulated_max(value: Value) -> Value {
  share(value);
  var largest = value;
  for (var other = 0u; other < WG; other++) {
    if (lanes[other] == lanes[own_lane]) {
      largest = max(largest, shared_values[other]);
    }
  }
  return largest;
}

fn simulated_size() -> u32 {
  var size = 0u;
  for (var other = 0u; other < WG; other++) {
    size += u32(lanes[other] == lanes[own_lane]);
  }
  return size;
}

fn simulated_rank() -> u32 {
  var rank = 0u;
  for (var other = 0u; other < own_lane; other++) {
    rank += u32(lanes[other] == lanes[own_lane]);
  }
  return rank;
}

fn simulated_lowest() -> u32 {
  var lowest = own_lane;
  for (var other = WG; other > 0u; other--) {
    lowest = select(lowest, other - 1u, lanes[other - 1u] == lanes[own_lane]);
  }
  return lowest;
}`;

/** Replaces every built-in function that the libraries use; others fail to compile. */
function replaced(text: string): string {
  return text
    .replaceAll('subgroupAdd(1u)', 'simulated_size()')
    .replaceAll('subgroupExclusiveAdd(1u)', 'simulated_rank()')
    .replaceAll(/subgroupMin\(\w+\)/g, 'simulated_lowest()') // of the lane, under any name
    .replaceAll('subgroupAdd(', 'simulated_add(')
    .replaceAll('subgroupMax(', 'simulated_max(');
}

const SPREAD = 'vec4<f32>(v, 2.0 * v, 3.0 * v, 4.0 * v)';
const LIBRARIES = {
  reduce: {
    type: 'f32',
    text: reduce,
    // twice, since the second call reuses the scratch memory of the first
    sum: 'reduce_sum(v, lane) + 0.0 * reduce_max(v, lane) + reduce_sum(v, lane)',
    factor: 2,
  },
  'reduce, maximum': { type: 'f32', text: reduce, sum: 'reduce_max(v, lane)', factor: 0 },
  reduce4: {
    type: 'vec4<f32>',
    text: reduce4,
    sum: `reduce4(${SPREAD}, lane).w + reduce4(${SPREAD}, lane).x`,
    factor: 5,
  },
  'team of rows-1': {
    type: 'vec4<f32>',
    text: `alias Acc = vec4<f32>;\n${rows1}\n${team}`,
    sum: `team_sum(${SPREAD}, lane).w`,
    factor: 4,
  },
  'team of rows-4': {
    type: 'vec4<f32>',
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
    const { type, text, sum } = LIBRARIES[library];
    const main = `
      @compute @workgroup_size(WG)
      fn main(@builtin(local_invocation_index) lane: u32) {
        own_lane = lane;
        let v = values[lane];
        result[lane] = ${sum};
      }`;
    return [
      { name: 'simulated', text: `alias Value = ${type};\n${SIMULATED}` },
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
  'of different sizes': (wg) => lanesOf(wg, (lane) => Math.floor(Math.sqrt(lane))),
  'every fourth lane': (wg) => lanesOf(wg, (lane) => lane % 4),
  'at random': (wg) => lanesOf(wg, () => Math.floor(5 * next())),
  'of one': (wg) => lanesOf(wg, (lane) => lane),
};

function lanesOf(wg: number, subgroupOf: (lane: number) => number): number[] {
  return Array.from({ length: wg }, (_, lane) => subgroupOf(lane));
}

describe.each(Object.keys(LIBRARIES) as Library[])('%s', (library) => {
  test.each(library.startsWith('team') ? [32] : [32, 64, 256])('%i lanes', async (wg) => {
    // Integers: sums are exact in any order.
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
  const wide = loadedPrograms.filter(({ overrides }) => (overrides['WG'] ?? Infinity) >= 16);
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
