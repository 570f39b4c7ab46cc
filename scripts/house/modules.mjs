// The modules of src/ without tests: what each imports, which functions it has, and what those call.
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parseSync } from 'vite';

/**
 * @typedef {object} Module
 * @property {string} path - from src/, such as `io/read.ts`
 * @property {readonly string[]} imports - paths of other modules, types included
 * @property {ReadonlyMap<string, ReadonlySet<string>>} functions - by name, also of methods and of functions that are
 *   properties: the names of what they call or pass on. Functions of one name in one file count as one.
 */

const TEST = /\.test\.ts$|\.testing\.ts$|\.test-support\.ts$|(^|\/)testing(\.ts$|\/)|\.d\.ts$/;

/**
 * Reads and parses every module.
 * @param {string} src
 * @returns {Map<string, Module>} by path
 */
export function readModules(src) {
  const paths = readdirSync(src, { recursive: true, encoding: 'utf8' }).map((path) =>
    path.replaceAll('\\', '/'),
  );
  return new Map(
    paths
      .filter((path) => path.endsWith('.ts') && !TEST.test(path))
      .sort()
      .map((path) => [path, parseModule(path, readFileSync(join(src, path), 'utf8'))]),
  );
}

/**
 * @param {string} path
 * @param {string} text
 * @returns {Module}
 * @throws {Error} the text is no TypeScript
 */
export function parseModule(path, text) {
  const { program, module, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const requests = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.map(({ moduleRequest }) => moduleRequest?.value ?? ''),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) => text.slice(start + 1, end - 1)),
  ];
  const inside = requests.filter((request) => /^\..*\.ts$/.test(request));
  const imports = [...new Set(inside.map((request) => posix.join(posix.dirname(path), request)))];
  return { path, imports, functions: functionsOf(program) };
}

/**
 * Functions and what they call, or pass on to be called; functions within them included.
 * @param {unknown} program
 */
function functionsOf(program) {
  /** @type {Map<string, Set<string>>} */
  const functions = new Map();
  visit(program, (node) => {
    const name = nameOfFunction(node);
    if (name === undefined) return;
    const calls = functions.get(name) ?? new Set();
    functions.set(name, calls);
    visit(node, (inner) => {
      if (inner.type !== 'CallExpression') return;
      for (const called of [inner.callee, ...inner.arguments].map(nameOf)) if (called) calls.add(called);
    });
  });
  return functions;
}

/** The name that a node gives to a function, if it does so. @param {any} node */
function nameOfFunction(node) {
  switch (node.type) {
    case 'FunctionDeclaration':
      return node.id?.name;
    case 'MethodDefinition':
      return nameOf(node.key);
    case 'Property':
    case 'VariableDeclarator':
      return /Function/.test((node.value ?? node.init)?.type ?? '') ? nameOf(node.key ?? node.id) : undefined;
    default:
      return undefined;
  }
}

/** `f` of `f`, `a.f` and `#f`. @param {any} node @returns {string | undefined} */
function nameOf(node) {
  if (node.type === 'ChainExpression') return nameOf(node.expression);
  return node.type === 'MemberExpression' ? nameOf(node.property) : node.name;
}

/**
 * Calls `see` for a node and all below it.
 * @param {any} node
 * @param {(node: any) => void} see
 */
function visit(node, see) {
  if (Array.isArray(node)) for (const one of node) visit(one, see);
  else if (typeof node?.type === 'string') {
    see(node);
    for (const value of Object.values(node)) if (typeof value === 'object') visit(value, see);
  }
}
