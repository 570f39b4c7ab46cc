import { describe, expect, test } from 'vitest';
import { link, render } from './program.ts';

const TEXT = `a
#if \${wide}
#if \${deep}
b \${count}
#else
c
#endif
#else
d
#endif
e \${count}`;

describe('marks', () => {
  test.each([
    [{ wide: true, deep: true }, ['a', '', '', 'b 3', '', '', '', '', '', '', 'e 3']],
    [{ wide: true, deep: false }, ['a', '', '', '', '', 'c', '', '', '', '', 'e 3']],
    [{ wide: 0, deep: true }, ['a', '', '', '', '', '', '', '', 'd', '', 'e 3']],
  ])('%o', (values, lines) => {
    const rendered = render({ name: 'a.wgsl', text: TEXT }, { ...values, count: 3 });
    expect(rendered.text).toBe(lines.join('\n'));
  });

  test('a text that is loaded later is rendered then', async () => {
    const later = render(
      { name: 'a.wgsl', text: () => Promise.resolve(TEXT) },
      { wide: 1, deep: 1, count: 'n' },
    );
    const { code } = await link({ parts: [later], bindings: {}, params: {} });
    expect(code).toContain('b n');
  });

  test('a mark without a value, and branches without an end, are faults of the shader', () => {
    const faulty = (text: string) => () => render({ name: 'a.wgsl', text }, { wide: true });
    expect(faulty('x = ${count};')).toThrow('a.wgsl has a mark ${count} without a value');
    expect(faulty('#if ${wide}\nx')).toThrow('a.wgsl has an #if without its #endif');
    expect(faulty('#else\nx')).toThrow('a.wgsl has an #if without its #endif');
  });
});

describe('link', () => {
  const parts = [
    { name: 'prelude', text: 'enable f16;\nalias scalar = f16;' },
    { name: 'main.wgsl', text: 'enable f16;\nfn main() {}' },
  ];

  test('directives come first, once, then parameters; lines are located', async () => {
    const { code, locate } = await link({
      parts,
      bindings: { x: 'read', y: 'write' },
      params: { rows: 'u32', scale: 'f32' },
    });
    expect(code.split('\n')).toEqual([
      'enable f16;',
      'struct Params{rows:u32,scale:f32}',
      '@group(0)@binding(2)var<uniform>params:Params;',
      'alias scalar = f16;',
      'fn main() {}',
    ]);
    expect([4, 5].map(locate)).toEqual(['prelude:2', 'main.wgsl:2']);
  });

  test('parameters that a part declares stay its own', async () => {
    const own = {
      name: 'own.wgsl',
      text: 'struct Params { n: u32 }\n@group(0) @binding(0) var<uniform> params: Params;',
    };
    const { code } = await link({ parts: [own], bindings: {}, params: { n: 'u32' } });
    expect(code).toBe(own.text);
  });
});
