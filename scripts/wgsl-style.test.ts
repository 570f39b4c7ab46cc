/** Each rule of WGSL's style finds a file that breaks it, and that fault alone. */
import { expect, test } from 'vitest';
import { paramsFaults, styleFaults, unusedFaults } from './wgsl-style.mjs';

const GOOD = `// sum: y[i] = a[i] + b[i], twice where doubled
//
// grid   one lane per number
override WG: u32;
const ONE_STEP = 0x1p-4f;

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
#if \${doubled}
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#else
@group(0) @binding(1) var<storage, read_write> y: array<f32, 4>;
#endif

fn sum_of(left: f32, right: f32) -> f32 {
  return -left
    + right * ONE_STEP;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(global_invocation_id) id: vec3<u32>, // x alone
) {
  for (var i = id.x; i < 4u; i++) {
    // what stands at i
    let value = sum_of(a[i].x, 1.0e-3);
    if (i >> 1u > 1u) {
#if \${doubled}
      y[i] = 2.0 * value;
#else
      y[i] = value;
#endif
    } else {
      y[i] = min(
        value, 2.0,
      );
    }
  }
}
`;

const faultsOf = (text: string, file = 'shaders/sum.wgsl') =>
  styleFaults(file, text).map(({ line, fault }) => `${line}: ${fault}`);

test('what is right passes', () => {
  expect(faultsOf(GOOD)).toEqual([]);
  expect(faultsOf(GOOD.replace('// sum:', '// sums (all):'), 'shaders/lib/sum-all.wgsl')).toEqual([]);
});

/** [what is right, what takes its place, the fault] */
const BROKEN: [string, string, RegExp][] = [
  ['// sum: y', '// y', /^1: no head: wanted \/\/ sum: /],
  ['const ONE_STEP', 'const  ONE_STEP', /^5: space around/],
  ['1u) {\n', '1u) { \n', /^30: space at the end/],
  ['  count: u32', '\tcount: u32', /^8: a tab$/],
  ['// x alone', '/* x */ // x', /^25: a block comment/],
  ['// x alone', `// ${'x '.repeat(40)}x`, /^25: \d+ columns: at most 120$/],
  ['#if ${doubled}\n@', '# if ${doubled}\n@', /^12: a mark/],
  ['i < 4u', 'i <= 4u && i<= 4u', /^27: space around/],
  ['2.0 * value', '2.0*value', /^32: space around/],
  ['right: f32)', 'right: f32 )', /^18: space around/],
  ['1.0e-3', '1.0e-3,2.0', /^29: space around/],
  [') {\n#if', '){\n#if', /^30: space around/],
  ['    let value', '   let value', /^29: indented by 3 columns: wanted 4$/],
  ['    // what', '  // what', /^28: indented by 2 columns: wanted 4$/],
  ['    + right', '  + right', /^20: indented by 2 columns: wanted 4$/],
  ['    } else', '      } else', /^36: indented by 6 columns: wanted 4$/],
  ['left: f32', 'leftOne: f32', /^18: leftOne: a member or parameter: .*snake_case/],
  ['  count: u32', '  Count: u32', /^8: Count: a member/],
  ['let value', 'let theValue', /^29: let theValue: .*snake_case/],
  ['ONE_STEP =', 'one_step =', /^5: const one_step: .*UPPER_CASE/],
  ['struct Params', 'struct params', /^7: struct params: .*PascalCase/],
  ['    // what', '    let lost = 1u; // what', /^28: lost is never used$/],
];

test.each(BROKEN)('%j is wrong as %j', (right, wrong, fault) => {
  expect(GOOD).toContain(right);
  const found = faultsOf(GOOD.replace(right, wrong));
  expect(found.filter((each) => fault.test(each))).not.toEqual([]);
  expect(found.length).toBeLessThanOrEqual(2);
});

test('a file ends with one line end, and brackets close', () => {
  expect(faultsOf(`${GOOD}\n`)).toEqual([expect.stringContaining('other than one line end')]);
  expect(faultsOf(GOOD.trimEnd())).toEqual([expect.stringContaining('other than one line end')]);
  expect(faultsOf(GOOD.replace(/\}\n$/, ''))).toEqual([expect.stringContaining('never closed')]);
});

test('what no program comes to is named, through any number of steps', () => {
  const library = {
    name: 'lib/steps.wgsl',
    text: `const DEEP = 1u;
const LOST = 2u;
alias Value = f32;
struct Deep {
  a: Value, // LOST
}
fn deep() -> Deep {
  return Deep(f32(DEEP));
}
fn lost() -> u32 {
  return LOST;
}
`,
  };
  const main = {
    name: 'main.wgsl',
    text: `@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
var<workgroup> c: f32;
@compute @workgroup_size(1)
fn main() {
  c = deep().a + b[0];
}
`,
  };
  const files = ['lib/nowhere.wgsl', 'lib/steps.wgsl', 'main.wgsl'];
  expect(unusedFaults([{ parts: [library, main] }], files)).toEqual([
    'lib/nowhere.wgsl: no kernel is linked with it',
    'lib/steps.wgsl: LOST is used by no kernel',
    'lib/steps.wgsl: lost is used by no kernel',
    'main.wgsl: a is used by no kernel',
  ]);
  const other = { name: 'other.wgsl', text: main.text.replace('b[0]', 'a[0] + f32(lost())') };
  expect(unusedFaults([{ parts: [library, main] }, { parts: [library, other] }], files.slice(1, 2))).toEqual(
    [],
  );
});

test('parameters are those of the record', () => {
  const parts = [{ name: 'main.wgsl', text: GOOD }];
  expect(paramsFaults([{ key: 'a', params: { count: 'u32' }, parts }])).toEqual([]);
  expect(paramsFaults([{ key: 'a', params: { count: 'f32' }, parts }])).toEqual([
    "main.wgsl: Params are not those of a's record: count,f32",
  ]);
});
