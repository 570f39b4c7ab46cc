// The style of WGSL, for files with `#if` marks and parts that compile only together: layout and names file by file, and
// what no program uses. As a program it reads shaders/ and bench/shaders/, and fails where it finds something.
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { loadPrograms, root } from './kernels.mjs';

/** @typedef {Pick<import('./kernels.mjs').Program, 'parts'>} Linked */
/** @typedef {{ line: number, fault: string }} Fault line numbers begin at 1 */

const WIDTH = 120;
const MARK = /^#(if \$\{\w+\}|else|endif)$/;
const SNAKE = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
const UPPER = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;
const PASCAL = /^[A-Z][A-Za-z0-9]*$/;

/** What `reducePart` offers to kernels from outside the package, whether one of ours uses it or not; and what linking uses. */
const OFFERED = new Set(['reduce_max', 'Params']);

/** How what is declared by a word is written. @type {Record<string, RegExp>} */
const NAMES = {
  fn: SNAKE,
  let: SNAKE,
  var: SNAKE,
  const: UPPER,
  override: UPPER,
  struct: PASCAL,
  alias: PASCAL,
};

const withoutComment = (/** @type {string} */ line) => line.replace(/\s*\/\/.*$/, '');

/**
 * What is wrong with a shader file by itself.
 * @param {string} file its name decides what its head must say
 * @param {string} text
 * @returns {Fault[]}
 */
export function styleFaults(file, text) {
  const lines = text.split('\n');
  const faults = [
    ...headFaults(file, lines[0] ?? ''),
    ...lines.flatMap((line, index) => lineFaults(line).map((fault) => ({ line: index + 1, fault }))),
    ...indentFaults(lines),
    ...nameFaults(lines),
    ...unusedLocals(lines),
  ];
  if (!text.endsWith('\n') || text.endsWith('\n\n')) {
    faults.push({ line: lines.length, fault: 'the file ends with other than one line end' });
  }
  return faults.sort((a, b) => a.line - b.line);
}

/** @param {string} file @param {string} first @returns {Fault[]} */
function headFaults(file, first) {
  const stem = basename(file, '.wgsl');
  const isLibrary = file.includes('lib/');
  const isRight = isLibrary ? /^\/\/ [a-z][^:]*: \S/.test(first) : first.startsWith(`// ${stem}: `);
  if (isRight) return [];
  return [{ line: 1, fault: `no head: wanted // ${isLibrary ? 'NAME' : stem}: what it computes` }];
}

/** @param {string} line */
function lineFaults(line) {
  const code = plain(withoutComment(line).trim());
  const isMark = line.trimStart().startsWith('#');
  return [
    ...(line.includes('\t') ? ['a tab'] : []),
    ...(/\s$/.test(line) ? ['space at the end of a line'] : []),
    ...(line.length > WIDTH ? [`${line.length} columns: at most ${WIDTH}`] : []),
    ...(line.includes('/*') ? ['a block comment: the build takes out line comments only'] : []),
    ...(isMark && !MARK.test(line) ? ['a mark that is not #if ${name}, #else or #endif at the margin'] : []),
    ...(!isMark && SPACING.some((rule) => rule.test(code))
      ? ['space around a sign: a, b; a + b; f(x) {']
      : []),
  ];
}

/** What says nothing of spaces between signs: numbers with exponents, steps, arrows, marks. @param {string} code */
const plain = (code) =>
  code
    .replaceAll(/\$\{\w+\}|\b\d[\w.]*([eEpP][-+]?\d+\w*)?/g, 'n')
    .replaceAll(/\+\+|--/g, '')
    .replaceAll('->', '=');

/** Signs between two values. The angle brackets of types, and signs before one value, are left to the eye. */
const SIGN = '(?:[-+*/%&|^=!<>]=|<<=?|>>=|&&|\\|\\||[+*/%^|=])';
const SPACING = [
  /[,;](?=[^\s)])|\s[,;]/, // a, b; c
  /[^\s(]\{|\{[^\s}]/, // f(x) { y
  /[([]\s|\S\s+[)\]]/, // (a), [b]
  /\S {2,}\S/,
  new RegExp(`[\\w)\\]]${SIGN}|${SIGN}[\\w(]`), // a + b
];

/**
 * Two columns for each line whose brackets are still open; two more where a statement continues. Marks count for nothing,
 * and the branches of one begin alike.
 * @param {string[]} lines
 * @returns {Fault[]}
 */
function indentFaults(lines) {
  /** @type {Fault[]} */
  const faults = [];
  /** @type {number[]} the line of each open bracket */
  let open = [];
  /** @type {number[][]} */
  const atMarks = [];
  let goesOn = false;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('#')) {
      if (line.startsWith('#if')) atMarks.push([...open]);
      if (line.startsWith('#else')) open = [...(atMarks.at(-1) ?? [])];
      if (line.startsWith('#endif')) atMarks.pop();
      continue;
    }
    const code = withoutComment(line);
    const closers = /^\s*([)\]}]*)/.exec(code)?.[1]?.length ?? 0;
    const depth = new Set(closers > 0 ? open.slice(0, -closers) : open).size;
    const wanted = 2 * depth + (goesOn && closers === 0 ? 2 : 0);
    const isBare = line.trim() === '' || (code.trim() === '' && goesOn);
    const columns = line.length - line.trimStart().length;
    if (!isBare && columns !== wanted) {
      faults.push({ line: index + 1, fault: `indented by ${columns} columns: wanted ${wanted}` });
    }
    for (const bracket of code.match(/[([{}\])]/g) ?? []) {
      if ('([{'.includes(bracket)) open.push(index);
      else open.pop();
    }
    if (code.trim() !== '') goesOn = !/[;{}([,:]$|^\s*@[\w()]+( @[\w(),\s]+)*$/.test(code);
  }
  if (open.length > 0) faults.push({ line: lines.length, fault: 'brackets that are never closed' });
  return faults;
}

/** @param {string[]} lines @returns {Fault[]} */
function nameFaults(lines) {
  return lines.flatMap((line, index) => {
    const code = withoutComment(line);
    const declared = [...code.matchAll(/\b(fn|let|var|const|override|struct|alias)(?:<[^>]*>)? (\w+)/g)];
    const wrong = declared.filter(([, word = '', name = '']) => NAMES[word]?.test(name) === false);
    // Members of structs and parameters of functions.
    const typed = [...code.matchAll(/(?:^|[(,{)])\s*(\w+): /g)].filter(([, name = '']) => !SNAKE.test(name));
    return [
      ...wrong.map(([, word, name]) => `${word} ${name}`),
      ...typed.map(([, name]) => `${name}: a member or parameter`),
    ].map((what) => ({
      line: index + 1,
      fault: `${what}: values and functions are snake_case, constants UPPER_CASE, types PascalCase`,
    }));
  });
}

/**
 * `let` and `var` of functions that are never read again.
 * @param {string[]} lines
 * @returns {Fault[]}
 */
function unusedLocals(lines) {
  const code = lines.map(withoutComment);
  return code.flatMap((line, index) => {
    const name = /^\s+(?:for \()?(?:let|var) (\w+)/.exec(line)?.[1];
    if (name === undefined) return [];
    const end = code.findIndex((later, at) => at > index && later === '}');
    const rest = `${line.slice(line.indexOf(name) + name.length)}\n${code.slice(index + 1, end).join('\n')}`;
    return new RegExp(`\\b${name}\\b`).test(rest)
      ? []
      : [{ line: index + 1, fault: `${name} is never used` }];
  });
}

/**
 * Declarations at the top of a part: their names, and the words of each.
 * @param {string} text
 * @returns {{ name: string, words: Set<string>, isEntry: boolean }[]}
 */
function declarations(text) {
  const code = text.split('\n').map(withoutComment).join('\n');
  const pattern =
    /^(@compute[^\n]*\n)?(?:@(?!compute)[^\n]*? )?(?:fn|const|override|struct|alias|var(?:<[^>]*>)?) (\w+)/gm;
  const found = [...code.matchAll(pattern)];
  return found.map((match, index) => {
    const body = code.slice(match.index, found[index + 1]?.index);
    const words = body.replaceAll(/\.[a-z]\w*|\b\w+(?=: )/g, ''); // without members
    return { name: match[2] ?? '', words: new Set(words.match(/\w+/g)), isEntry: match[1] !== undefined };
  });
}

/**
 * Names that a program's entry reaches.
 * @param {Linked} program
 * @returns {Set<string>}
 */
function reached({ parts }) {
  const all = parts.flatMap(({ text }) => declarations(text));
  const byName = new Map(all.map((each) => [each.name, each]));
  /** @type {Set<string>} */
  const seen = new Set();
  const waiting = all.filter(({ isEntry }) => isEntry);
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (seen.has(each.name)) continue;
    seen.add(each.name);
    for (const word of each.words) {
      const next = byName.get(word);
      if (next !== undefined) waiting.push(next);
    }
  }
  return seen;
}

/**
 * What files declare and no program that they are part of comes to, and files that are part of none.
 * @param {readonly Linked[]} programs
 * @param {readonly string[]} files as parts are called
 * @returns {string[]}
 */
export function unusedFaults(programs, files) {
  /** @type {Map<string, { declared: Set<string>, used: Set<string> }>} */
  const byFile = new Map();
  for (const program of programs) {
    const names = reached(program);
    for (const { name, text } of program.parts) {
      const file = byFile.get(name) ?? { declared: new Set(), used: new Set() };
      byFile.set(name, file);
      for (const each of declarations(text)) {
        file.declared.add(each.name);
        if (names.has(each.name)) file.used.add(each.name);
      }
    }
  }
  return files.flatMap((file) => {
    const found = byFile.get(file);
    if (found === undefined) return [`${file}: no kernel is linked with it`];
    const unused = [...found.declared].filter((name) => !found.used.has(name) && !OFFERED.has(name));
    return unused.map((name) => `${file}: ${name} is used by no kernel`);
  });
}

/**
 * Parameters that are not those of the kernel's record, from which programs are linked in the build.
 * @param {readonly Pick<import('./kernels.mjs').Program, 'key' | 'params' | 'parts'>[]} programs
 * @returns {string[]}
 */
export function paramsFaults(programs) {
  return programs.flatMap(({ key, params, parts }) => {
    const wanted = Object.entries(params).join(' ');
    const declared = parts.flatMap(({ name, text }) => {
      const [, members] = /^struct Params \{([^}]*)\}/m.exec(text) ?? [];
      return members === undefined ? [] : [{ name, members: [...members.matchAll(/^ *(\w+): (\w+),/gm)] }];
    });
    return declared
      .filter(({ members }) => members.map(([, name, type]) => `${name},${type}`).join(' ') !== wanted)
      .map(({ name }) => `${name}: Params are not those of ${key}'s record: ${wanted}`);
  });
}

/** @param {string} folder */
const shadersIn = (folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.wgsl'))
    .map((name) => name.replaceAll('\\', '/'))
    .sort();

async function main() {
  const own = shadersIn('shaders');
  const files = [
    ...own.map((name) => `shaders/${name}`),
    ...shadersIn('bench/shaders').map((name) => `bench/shaders/${name}`),
  ];
  const faults = files.flatMap((file) =>
    styleFaults(file, readFileSync(join(root, file), 'utf8')).map(
      ({ line, fault }) => `${file}:${line}: ${fault}`,
    ),
  );
  const programs = await loadPrograms();
  faults.push(
    ...[...unusedFaults(programs, own), ...paramsFaults(programs)].map((fault) => `shaders/${fault}`),
  );
  for (const fault of faults) console.error(fault);
  console.log(`${files.length} files of WGSL, ${faults.length} faults of style`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
