import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** [importing file, imported file, what the rule must say]; one for each arrow that DESIGN.md forbids. */
const forbiddenImports = [
  ['src/errors.ts', './io/a.ts', 'imports nothing'],
  ['src/io/a.ts', '../containers/a.ts', 'io/ is a lowest layer'],
  ['src/weights/a.ts', '../io/a.ts', 'weights/ is a lowest layer'],
  ['src/weights/formats/a.ts', '../../gpu/a.ts', 'weights/ is a lowest layer'],
  ['src/containers/a.ts', '../gpu/a.ts', 'containers/ stands on io/ and weights/'],
  ['src/text/a.ts', '../io/a.ts', 'text/ imports nothing'],
  ['src/gpu/a.ts', '../kernels/a.ts', 'gpu/ is the lowest layer'],
  ['src/gpu/deep/a.ts', '../../kernels/a.ts', 'gpu/ is the lowest layer'],
  ['src/kernels/a.ts', '../graph/a.ts', 'kernels/ stand on gpu/ and weights/'],
  ['src/graph/a.ts', '../models/a.ts', 'graph/ stands on kernels/ and gpu/'],
  ['src/models/a.ts', '../engine/a.ts', 'models/ are data'],
  ['src/simd/a.ts', '../engine/a.ts', 'simd/ runs graphs'],
  ['src/experts/a.ts', '../engine/a.ts', 'experts/ stand on gpu/, io/, weights/'],
  ['src/engine/a.ts', '../kernels/a.ts', 'engine/ sees kernels only through graph/'],
  ['src/engine/b.ts', '../worker/a.ts', 'nothing that stands on it'],
  ['src/worker/a.ts', '../graph/a.ts', 'worker/ sees the engine only'],
  ['src/element/a.ts', '../graph/a.ts', 'element/ sees the engine only'],
  ['src/cli/a.ts', '../element/a.ts', 'cli/ is a program of its own'],
  ['demo/a.ts', '../src/graph/a.ts', 'demo/ shows what a visitor'],
] as const;

/** One bad file for each of the other rules that the house insists on; the rule must fire on exactly that. */
const badCode: Record<string, { rule: string; code: string }> = {
  'src/text/cycle-a.ts': {
    rule: 'import(no-cycle)',
    code: `import { b } from './cycle-b.ts';\nexport const a = () => b();`,
  },
  'src/text/cycle-b.ts': {
    rule: 'import(no-cycle)',
    code: `import { a } from './cycle-a.ts';\nexport const b = (): unknown => a();`,
  },
  'src/text/default.ts': { rule: 'import(no-default-export)', code: 'export default 1;' },
  'src/text/any.ts': {
    rule: 'typescript(no-explicit-any)',
    code: 'export const first = (list: any[]): unknown => list[0];',
  },
  'src/text/equal.ts': {
    rule: 'eslint(eqeqeq)',
    code: 'export const same = (a: number, b: number) => a == b;',
  },
  'src/text/floating.ts': {
    rule: 'typescript(no-floating-promises)',
    code: 'async function wait(): Promise<void> {}\nexport function go(): void {\n  wait();\n}',
  },
  'src/text/switch.ts': {
    rule: 'typescript(switch-exhaustiveness-check)',
    code: `export function f(x: 'a' | 'b'): number {\n  switch (x) {\n    case 'a':\n      return 1;\n  }\n  return 0;\n}`,
  },
};

type Diagnostic = { code: string; message: string; help?: string; filename: string };

const folder = mkdtempSync(join(tmpdir(), 'atomoe-lint-'));
let diagnostics: Diagnostic[] = [];

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** What the linter prints; its type-aware half is looked up on PATH. */
function lint(...args: string[]): string {
  const path = [join(root, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(delimiter);
  return spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
  }).stdout;
}

/** The lock file holds the linter's binaries for Linux only; elsewhere there may be none to ask. */
const hasLinter = lint('--version') !== '' || Boolean(process.env['CI']);

beforeAll(() => {
  if (!hasLinter) return;
  copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  write('tsconfig.json', '{ "compilerOptions": { "strict": true }, "include": ["src", "demo"] }');
  for (const [file, target] of forbiddenImports) write(file, `import '${target}';\n`);
  for (const [file, { code }] of Object.entries(badCode)) write(file, `${code}\n`);
  write('src/graph/fine.ts', `import '../gpu/a.ts';\nimport '../kernels/a.ts';\nimport '../errors.ts';\n`);
  const stdout = lint('--type-aware', '--format', 'json', 'src', 'demo');
  ({ diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const about = (file: string) => diagnostics.filter(({ filename }) => filename === file);

test.skipIf(!hasLinter).each(forbiddenImports)('lint refuses that %s imports %s', (file, _target, says) => {
  const found = about(file).filter(({ code }) => code === 'eslint(no-restricted-imports)');
  expect(found.map(({ message, help }) => `${message} ${help}`).join()).toContain(says);
});

test.skipIf(!hasLinter)('lint lets a layer import what lies below it', () => {
  expect(about('src/graph/fine.ts')).toEqual([]);
});

test.skipIf(!hasLinter).each(Object.entries(badCode))('lint finds the fault in %s', (file, { rule }) => {
  expect(about(file).map(({ code }) => code)).toContain(rule);
});

test('only src/gpu/ names GPU types', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const sources = files.filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !/^gpu[\\/]/.test(file),
  );
  const offenders = sources.filter((file) => {
    const code = readFileSync(join(root, 'src', file), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
    return /\bGPU[A-Z]\w+/.test(code);
  });
  expect(offenders).toEqual([]);
});
