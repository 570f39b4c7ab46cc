/** The build's shaders are the same programs: only names inside of functions change, and none comes to mean another thing. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bareShader } from './bare-shader.ts';

const folder = join(import.meta.dirname, '../shaders');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.wgsl'),
);

/** Marks, numbers, members, names and signs. Spaces stand for nothing. */
const tokensOf = (code: string) =>
  code.replaceAll(/\/\/.*$/gm, '').match(/^#.*$|\$\{\w+\}|\d[\w.]*|\.\s*\w+|\w+|[^\s\w]/gm) ?? [];

const isName = (token: string) => /^[A-Za-z_]/.test(token);

test.each(files)('%s keeps its lines, its declarations and its meaning', (file) => {
  const source = withoutParams(readFileSync(join(folder, file), 'utf8'));
  const bare = bareShader(source);
  expect(bare).not.toMatch(/\/\/|^ | $/m);
  const [sourceLines, bareLines] = [source.split('\n'), bare.split('\n')];
  expect(bareLines.length).toBe(sourceLines.length);
  let start = 0;
  for (const [index, line] of sourceLines.entries()) {
    const isHead = line.startsWith('fn ');
    if (isHead || line === '}') {
      const end = line === '}' ? index + 1 : index;
      const part = (lines: string[]) => tokensOf(lines.slice(start, end).join('\n'));
      expectSameProgram(part(sourceLines), part(bareLines), sourceLines[start]?.startsWith('fn ') ?? false);
      start = end;
    }
  }
});

/** Programs are linked with their parameters from the records. */
const withoutParams = (source: string) =>
  source.replaceAll(/^struct Params \{[^}]*\}|^.*var<uniform> params: Params;/gm, (lines) =>
    '\n'.repeat(lines.split('\n').length - 1),
  );

/** Outside of functions nothing changes. In one, each new name is of one variable and of nothing that was there before. */
function expectSameProgram(source: string[], bare: string[], isFunction: boolean): void {
  if (!isFunction) return expect(bare).toEqual(source);
  const names = new Map<string, string>();
  expect(bare.length).toBe(source.length);
  for (const [index, token] of source.entries()) {
    const short = bare[index] ?? '';
    if (!isName(token)) expect(short).toBe(token);
    else expect(short).toBe(names.get(token) ?? (names.set(token, short), short));
  }
  expect(new Set(names.values()).size).toBe(names.size);
  for (const [name, short] of names) if (name !== short) expect(source).not.toContain(short);
}

const CASE = `// sum: of two
@group(0) @binding(0) var<storage, read> values: array<f32>; // one each
struct Row {
  value: f32,
}
struct Params {
  rows: u32, // of values
}
@group(0) @binding(1) var<uniform> params: Params;
fn sum(value: f32, other: Row, v: f32) -> f32 {
#if \${doubled}
  let value_twice = 2.0 * value;
  return value_twice - other.value;
#else
  var result = value + o(other); // o is outside
  for (var i = 0u; i < 4u; i++) {
    result += values[i];
  }
  return result * v;
#endif
}
fn marked(value: f32) -> f32 {
  return \${name}(value);
}
`;

test('parameters and variables get letters that are free; marked functions keep theirs', () => {
  expect(bareShader(CASE)).toBe(`
@group(0)@binding(0)var<storage,read> values:array<f32>;
struct Row{
value:f32,
}




fn sum(a:f32,b:Row,v:f32)-> f32{
#if \${doubled}
let c=2.0*a;
return c- b.value;
#else
var r=a+o(b);
for(var i=0u;i < 4u;i++){
r+=values[i];
}
return r*v;
#endif
}
fn marked(value:f32)-> f32{
return \${name}(value);
}
`);
});
