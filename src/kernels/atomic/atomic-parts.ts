import type { Part } from '../../gpu/program.ts';
import atomicRows from '../../../shaders/lib/atomic-rows.wgsl?raw';
import fetchAlone from '../../../shaders/lib/fetch4-alone.wgsl?raw';
import fetchQuad from '../../../shaders/lib/fetch4-quad.wgsl?raw';
import { renderFor, unitVec4s } from '../weights.ts';
import type { FormatName } from '../../weights/formats/index.ts';

/** WGSL `atomic_row`, `atomic_scale`: address of a one-neuron expert's vector, and the scale of one of its units. */
export function atomicRowsPart(format: FormatName): Part {
  return renderFor(format, { name: 'lib/atomic-rows.wgsl', text: atomicRows });
}

/** WGSL `fetch4`: reads four pairs of a token; `quad`: one pair per lane of a quad. */
export function fetch4Part(quad: boolean): Part {
  return quad
    ? { name: 'lib/fetch4-quad.wgsl', text: fetchQuad }
    : { name: 'lib/fetch4-alone.wgsl', text: fetchAlone };
}

/**
 * WGSL for sums over a unit of columns, or products with one, unrolled: software adapters keep an array in memory if a
 * loop indexes it.
 *
 * `Acc`, `add_unit(acc, unit, gain)`, `acc_vec4s(acc)`; `dot_unit(unit, at)` with the kernel's `input4(at)`
 */
export function unitSumsPart(format: FormatName, what: 'add' | 'dot'): Part {
  const places = Array.from({ length: unitVec4s(format) }, (_, place) => place);
  const list = (text: (place: number) => string, by = ', ') => places.map(text).join(by);
  const unit = 'array<vec4<f32>, UNIT_VEC4>';
  const add = [
    `struct Acc { ${list((i) => `v${i}: vec4<f32>`)} }`,
    `fn add_unit(acc: Acc, unit: ${unit}, gain: f32) -> Acc {`,
    `  return Acc(${list((i) => `acc.v${i} + gain * unit[${i}]`)});`,
    '}',
    `fn acc_vec4s(acc: Acc) -> ${unit} {`,
    `  return ${unit}(${list((i) => `acc.v${i}`)});`,
    '}',
  ];
  const dot = [
    `fn dot_unit(unit: ${unit}, at: u32) -> f32 {`,
    `  return ${list((i) => `dot(unit[${i}], input4(at + ${i}u))`, ' + ')};`,
    '}',
  ];
  return { name: `unit ${what}`, text: (what === 'add' ? add : dot).join('\n') };
}
