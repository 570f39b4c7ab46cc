// Writes shaders/README.md from the kernels' records and the heads of their files. With --check it writes nothing, and
// fails where the file is not what it would write.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { loadPrograms, root } from './kernels.mjs';

/** @typedef {import('./kernels.mjs').Program} Program */

const folder = join(root, 'shaders');
const path = join(folder, 'README.md');

/**
 * The comment at the head of a shader file, without the marks.
 * @param {string} file
 */
function head(file) {
  const lines = readFileSync(join(folder, file), 'utf8').split('\n');
  const end = lines.findIndex((line) => !line.startsWith('//'));
  return lines.slice(0, end).map((line) => line.replace(/^\/\/ ?/, ''));
}

/**
 * What a kernel computes: the first paragraph of its file's head, after its name. Kernels of several files, none of
 * which has the kernel's name, say it in the file that these share.
 * @param {string} kernel
 */
function computes(kernel) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    name.replaceAll('\\', '/'),
  );
  const named = files.filter((name) => name.split('/').pop() === `${kernel}.wgsl`);
  const file = named.find((name) => !name.startsWith('lib/')) ?? named[0];
  if (file === undefined)
    throw new Error(`the kernel ${kernel} has no file: wanted ${kernel}.wgsl in a folder of shaders/`);
  const lines = head(file);
  const end = lines.indexOf('');
  return prose(lines.slice(0, end < 0 ? undefined : end)).replace(/^[^:]*: /, '');
}

/**
 * What a file of the library holds: the first sentence of its head.
 * @param {string} file
 */
function holds(file) {
  const text = prose(head(`lib/${file}`));
  return /^.*?\.(?= |$)/.exec(text)?.[0] ?? text;
}

/** @param {string[]} lines */
const prose = (lines) => lines.join(' ').replaceAll(/ +/g, ' ');

/** Text in a cell of a table. @param {string} text */
const cell = (text) => text.replaceAll(/[|<]|(?<=\S)\*|\*(?=\S)/g, '\\$&');

/** Names as code. @param {Iterable<string>} names */
const code = (names) => [...names].map((name) => `\`${name}\``).join(' ');

/**
 * The values that all of some sets have, and those that only some have.
 * @template T
 * @param {(readonly T[])[]} sets
 * @returns {{ always: T[], sometimes: T[] }}
 */
function split(sets) {
  const all = [...new Set(sets.flat())];
  const always = all.filter((value) => sets.every((set) => set.includes(value)));
  return { always, sometimes: all.filter((value) => !always.includes(value)) };
}

/**
 * `Map.groupBy`, which Node 20 lacks.
 * @template T
 * @param {Iterable<T>} values
 * @param {(value: T) => string} keyOf
 */
function groupBy(values, keyOf) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}

/** Read bindings, an arrow, written ones; `?` after those that not every variant has. @param {Program[]} variants */
function bindingsOf(variants) {
  const { sometimes } = split(variants.map(({ bindings }) => Object.keys(bindings)));
  const named = new Map(variants.flatMap(({ bindings }) => Object.entries(bindings)));
  const side = (/** @type {'read' | 'write'} */ wanted) =>
    code(
      [...named]
        .filter(([, access]) => access === wanted)
        .map(([name]) => (sometimes.includes(name) ? `${name}?` : name)),
    );
  return `${side('read')} → ${side('write')}`.trim();
}

/** @param {Program[]} variants */
function featuresOf(variants) {
  const { always, sometimes } = split(variants.map(({ features }) => features));
  return [code(always), sometimes.length > 0 ? `some: ${code(sometimes)}` : ''].filter(Boolean).join('; ');
}

/** @param {Program[]} variants */
function paramsOf(variants) {
  const params = new Map(variants.flatMap(({ params }) => Object.entries(params)));
  return code([...params].map(([name, type]) => (type === 'u32' ? name : `${name}: ${type}`)));
}

/** Files of the variants that are no library's. @param {Program[]} variants */
function filesOf(variants) {
  const names = new Set(variants.flatMap(({ parts }) => parts.map(({ name }) => name)));
  return [...names].filter((name) => name.endsWith('.wgsl') && !name.includes('/')).sort();
}

/** @param {readonly (readonly string[])[]} rows the first one holds the headings */
function table([headings = [], ...rows]) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n');
}

/** @param {Map<string, Program[]>} kernels */
function kernelTable(kernels) {
  const rows = [...kernels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, variants]) => [
      name,
      filesOf(variants)
        .map((file) => `[${file}](${file})`)
        .join(' '),
      cell(computes(name)),
      bindingsOf(variants),
      paramsOf(variants),
      String(variants.length),
      featuresOf(variants),
    ]);
  return table([
    ['kernel', 'files', 'computes', 'reads → writes', 'parameters', 'variants', 'features'],
    ...rows,
  ]);
}

/** @param {Map<string, Program[]>} kernels */
function libraryTable(kernels) {
  const rows = readdirSync(join(folder, 'lib'))
    .sort()
    .map((file) => {
      const users = [...kernels].filter(([, variants]) =>
        variants.some(({ parts }) => parts.some(({ name }) => name === `lib/${file}`)),
      );
      return [`[${file}](lib/${file})`, cell(holds(file)), String(users.length)];
    });
  return table([['file', 'content', 'kernels'], ...rows]);
}

/** @param {readonly Program[]} programs */
function readme(programs) {
  const kernels = groupBy(programs, ({ key }) => key.slice(0, key.indexOf('/')));
  return `# Shaders

<!-- Generated by scripts/shaders-readme.mjs: run \`npm run shaders\` to update it; \`npm run check\` reports if it is outdated. -->

A kernel is a record (\`src/kernels/FAMILY/NAME.ts\`), a file in its family's folder here, a CPU reference and a test. The header of each file gives
its formula, shapes and grid. A program is linked from a few generated lines, files of the library and the kernel's file
([how](../ARCHITECTURE.md#the-life-of-a-kernel), [how to add one](../CONTRIBUTING.md#add-a-kernel)).

## Kernels

${kernels.size} kernels in ${programs.length} variants, which tests compile and run. The engine may use any form with any weight format. Bindings with
\`?\` exist in some variants only. Parameters are u32 unless noted, packed in this order. Features are those that a variant
requires of the device.

${kernelTable(kernels)}

## Library

The last column is the number of kernels that a file is linked with, in some or all variants.

${libraryTable(kernels)}
`;
}

const wanted = readme(await loadPrograms());
if (!process.argv.includes('--check')) writeFileSync(path, wanted);
else if (readFileSync(path, 'utf8') !== wanted) {
  console.error('shaders/README.md is not what the records say: run npm run shaders');
  process.exitCode = 1;
}
