// The public types: for each entry of the package one text of every declaration that it exports, and of all that these name,
// without comments. `npm run types:snapshot` writes them into public-types/ from the built declarations; with --check it
// writes nothing, and fails where they are others than those that are committed: then the change is for CHANGELOG.md, too.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseSync } from 'vite';

/** @typedef {{ module: string, name: string }} Binding - a declaration: where it is, and its name there */
/** @typedef {{ text: string, names: string[], uses: Set<string>, imports: Binding[] }} Declaration */
/**
 * @typedef {object} Module
 * @property {Map<string, Declaration[]>} declared - by name; overloads and merged interfaces are several
 * @property {Map<string, Binding>} imported - by the name here; `*` stands for all of a module
 * @property {Map<string, Binding>} exported - by the name outside; of declarations here, the module is ''
 * @property {string[]} stars - modules that are exported as a whole
 * @property {Declaration[]} globals - what the module adds to the world
 */

/** Rolls entries of declarations into texts. @param {(path: string) => string} read the text of a module */
export function roller(read) {
  /** @type {Map<string, Module>} */
  const modules = new Map();

  /** @param {string} path */
  function moduleAt(path) {
    const module = modules.get(path) ?? parseModule(path, read(path));
    modules.set(path, module);
    return module;
  }

  /** Where a name of a module is declared; undefined: not in the package. @param {Binding} binding @returns {Binding | undefined} */
  function declarationOf({ module: path, name }) {
    if (!path.startsWith('.') && !path.endsWith('.ts')) return undefined;
    const module = moduleAt(path);
    if (module.declared.has(name)) return { module: path, name };
    const imported = module.imported.get(name);
    return imported && exportOf(imported);
  }

  /** What a module exports under a name. @param {Binding} binding @returns {Binding | undefined} */
  function exportOf({ module: path, name }) {
    if (!path.endsWith('.ts')) return undefined;
    const { exported, stars } = moduleAt(path);
    const own = exported.get(name);
    if (own) return own.module === '' ? declarationOf({ module: path, name: own.name }) : exportOf(own);
    for (const star of stars) {
      const found = exportOf({ module: star, name });
      if (found) return found;
    }
    return undefined;
  }

  /** All names that a module exports. @param {string} path @returns {Set<string>} */
  function exportedNames(path) {
    const { exported, stars } = moduleAt(path);
    return new Set([...exported.keys(), ...stars.flatMap((star) => [...exportedNames(star)])]);
  }

  /**
   * The text of an entry.
   * @param {string} entry
   * @param {ReadonlyMap<string, Binding>} [told] declarations that another text has
   * @returns {{ text: string, reached: Map<string, Binding> }}
   */
  function roll(entry, told = new Map()) {
    const names = [...exportedNames(entry)].sort();
    /** @type {Map<string, Binding>} */
    const reached = new Map();
    /** @param {Binding | undefined} binding */
    const reach = (binding) => {
      if (!binding || reached.has(keyOf(binding)) || told.has(keyOf(binding))) return;
      reached.set(keyOf(binding), binding);
      for (const each of moduleAt(binding.module).declared.get(binding.name) ?? [])
        follow(binding.module, each);
    };
    /** @param {string} path @param {Declaration} declaration */
    const follow = (path, { uses, imports }) => {
      for (const name of uses) reach(declarationOf({ module: path, name }));
      for (const binding of imports) reach(exportOf(binding));
    };
    const lines = names.map((name) => {
      const binding = exportOf({ module: entry, name });
      reach(binding);
      return binding && binding.name !== name ? `${binding.name} as ${name}` : name;
    });
    const { globals } = moduleAt(entry);
    for (const declaration of globals) follow(entry, declaration);
    const texts = [...reached.values()]
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .flatMap(({ module, name }) => moduleAt(module).declared.get(name) ?? [])
      .map(({ text }) => text);
    const head = lines.length > 0 ? `export { ${lines.join(', ')} };\n` : 'export {};\n';
    return { text: [head, ...globals.map(({ text }) => text), ...new Set(texts)].join('\n'), reached };
  }

  return roll;
}

/** For sorting: by name first, so that a declaration that moves to another file stays where it is. @param {Binding} binding */
function keyOf({ module, name }) {
  return `${name} ${module}`;
}

/** @param {string} path @param {string} text @returns {Module} */
function parseModule(path, text) {
  const { program, comments, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const at = (/** @type {string} */ source) =>
    source.startsWith('.') ? posix.join(posix.dirname(path), source).replace(/(\.d)?\.ts$/, '.d.ts') : source;
  /** @type {Module} */
  const module = { declared: new Map(), imported: new Map(), exported: new Map(), stars: [], globals: [] };
  const declare = (/** @type {any} */ node, /** @type {boolean} */ isExported) => {
    const declaration = declarationFrom(node, text, comments, at);
    if (node.type === 'TSModuleDeclaration') return void module.globals.push(declaration);
    for (const name of declaration.names) {
      module.declared.set(name, [...(module.declared.get(name) ?? []), declaration]);
      if (isExported) module.exported.set(name, { module: '', name });
    }
  };
  for (const node of /** @type {any[]} */ (program.body)) {
    if (node.type === 'ImportDeclaration')
      for (const { local, imported } of node.specifiers)
        module.imported.set(local.name, { module: at(node.source.value), name: imported?.name ?? '*' });
    else if (node.type === 'ExportAllDeclaration') module.stars.push(at(node.source.value));
    else if (node.type === 'ExportNamedDeclaration' && node.declaration) declare(node.declaration, true);
    else if (node.type === 'ExportNamedDeclaration')
      for (const { local, exported } of node.specifiers)
        module.exported.set(exported.name, {
          module: node.source ? at(node.source.value) : '',
          name: local.name,
        });
    else declare(node, false);
  }
  return module;
}

/**
 * @param {any} node
 * @param {string} text
 * @param {readonly { start: number, end: number }[]} comments
 * @param {(source: string) => string} at
 * @returns {Declaration}
 */
function declarationFrom(node, text, comments, at) {
  /** @type {Set<string>} */
  const uses = new Set();
  /** @type {Binding[]} */
  const imports = [];
  visit(node, (inner) => {
    if (inner.type === 'Identifier') uses.add(inner.name);
    if (inner.type === 'TSImportType')
      imports.push({ module: at(inner.source.value), name: inner.qualifier?.name ?? '*' });
  });
  let code = '';
  let from = node.start;
  for (const { start, end } of comments.filter((each) => each.start >= node.start && each.end <= node.end)) {
    code += text.slice(from, start);
    from = end;
  }
  const lines = (code + text.slice(from, node.end)).split('\n').filter((line) => line.trim() !== '');
  // Where a file is does not matter to who imports the package.
  const shown = lines
    .map((line) => line.trimEnd())
    .join('\n')
    .replaceAll(/import\("[./][^"]*"\)\./g, '');
  const declarations = node.type === 'VariableDeclaration' ? node.declarations : [node];
  const names = declarations.map((/** @type {any} */ { id }) => id?.name ?? '');
  return { text: `${shown}\n`, names, uses, imports };
}

/** @param {any} node @param {(node: any) => void} see */
function visit(node, see) {
  if (Array.isArray(node)) for (const each of node) visit(each, see);
  else if (node && typeof node === 'object') {
    if (typeof node.type === 'string') see(node);
    // A key is no use of what has its name.
    for (const [name, value] of Object.entries(node)) if (name !== 'key' || node.computed) visit(value, see);
  }
}

const root = resolve(import.meta.dirname, '..');
const snapshots = resolve(root, 'public-types');

/**
 * The texts of the package's entries, by the names of their files. What the first entry has is not said again.
 * @returns {Map<string, string>}
 */
function rollPackage() {
  const { exports } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
  const roll = roller((path) => readFileSync(resolve(root, path), 'utf8'));
  const first = roll(posix.normalize(exports['.'].types));
  const texts = new Map([['atomoe.d.ts', `${titleOf('atomoe')}${first.text}`]]);
  for (const [entry, { types }] of Object.entries(exports)) {
    // The others' types are written by hand, in types/.
    if (entry === '.' || !types?.startsWith('./dist/')) continue;
    const title = `${titleOf(`atomoe${entry.slice(1)}`)}// What is not here is in atomoe.d.ts.\n`;
    const { text } = roll(posix.normalize(types), first.reached);
    texts.set(`${entry.slice(2).replaceAll('/', '-')}.d.ts`, title + text);
  }
  return texts;
}

/** @param {string} name */
function titleOf(name) {
  return `// The public types of ${name}, written by npm run types:snapshot.\n`;
}

/** @returns {string[]} names of files that are not what they should be */
function differing(/** @type {Map<string, string>} */ texts) {
  const there = existsSync(snapshots) ? readdirSync(snapshots) : [];
  return [...new Set([...texts.keys(), ...there])].filter((name) => {
    const path = resolve(snapshots, name);
    return !existsSync(path) || readFileSync(path, 'utf8') !== texts.get(name);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const texts = rollPackage();
  const changed = differing(texts);
  if (process.argv.includes('--check')) {
    for (const name of changed)
      console.error(
        `public-types/${name} is not what the package exports; where that is meant, run npm run types:snapshot and tell in CHANGELOG.md`,
      );
    process.exitCode = changed.length === 0 ? 0 : 1;
  } else {
    rmSync(snapshots, { recursive: true, force: true });
    mkdirSync(snapshots);
    for (const [name, text] of texts) writeFileSync(resolve(snapshots, name), text);
    console.log(changed.length === 0 ? 'nothing changed' : `changed: ${changed.join(', ')}`);
  }
}
