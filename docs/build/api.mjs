// Writes docs/api/*.md from the docstrings: one page for each entry of the package, one part for each of its exports, with
// its declaration as the sources have it. TypeScript 7 has no compiler API yet, so that this folder has TypeScript 6.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');

/** Pages by name: the entry, and what it is for. */
const ENTRIES = {
  atomoe: { file: 'src/index.ts', about: 'The engine, in a page, a worker or Node.' },
  node: { file: 'src/node.ts', about: 'Models on the local disk, for Node.' },
  'ai-sdk': { file: 'src/ai-sdk/index.ts', about: 'A language model of the AI SDK, answered by an engine.' },
  openai: { file: 'src/openai/index.ts', about: "OpenAI's HTTP API, answered by an engine." },
  'service-worker': {
    file: 'src/openai/relay/worker.ts',
    about: 'For service workers: `/v1` of an origin, answered by the page that has an engine.',
  },
  element: {
    file: 'src/element/index.ts',
    about: 'The elements. This entry registers nothing; `atomoe/element/define` does.',
  },
  react: { file: 'src/frameworks/react.ts', about: 'A chat in a component of React.' },
  vue: { file: 'src/frameworks/vue.ts', about: 'A chat in a component of Vue.' },
  svelte: { file: 'src/frameworks/svelte.ts', about: "A chat as a store of Svelte's kind." },
  ops: { file: 'src/ops.ts', about: 'Ops of graphs, for families, routers and expert kinds of your own.' },
};

/** Parts of a page: the folders of declarations, in the order of a reader's interest. */
const SECTIONS = [
  {
    title: 'Engines and sessions',
    folders: [
      'src/engine',
      'src/worker',
      'src/openai',
      'src/ai-sdk',
      'src/node.ts',
      'src/frameworks',
      'src/element',
    ],
  },
  { title: 'Errors', folders: ['src/errors.ts'] },
  { title: 'Files and storage', folders: ['src/io', 'src/containers'] },
  { title: 'Model families and blocks', folders: ['src/models', 'src/blocks'] },
  { title: 'Graphs, kernels and formats', folders: ['src'] },
];

/** @typedef {{ name: string, declarations: ts.Declaration[], isType: boolean }} Export */

const program = ts.createProgram(
  Object.values(ENTRIES).map(({ file }) => join(root, file)),
  {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    baseUrl: root,
    paths: { vue: ['src/frameworks/peers/vue.d.ts'], react: ['src/frameworks/peers/react.d.ts'] },
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    types: [],
  },
);
const checker = program.getTypeChecker();

/** @param {string} file @returns {Export[]} */
function exportsOf(file) {
  const source = program.getSourceFile(join(root, file));
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${file} exports nothing`);
  return checker
    .getExportsOfModule(module)
    .map((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const isType = !(target.flags & ts.SymbolFlags.Value);
      return { name: symbol.name, declarations: (target.declarations ?? []).filter(isShown), isType };
    })
    .filter(({ declarations }) => declarations.length > 0);
}

/** An overloaded function has its signatures, and not what implements them. @param {ts.Declaration} node */
function isShown(node) {
  if (!ts.isFunctionDeclaration(node) || !node.body) return true;
  const signature = checker.getSignatureFromDeclaration(node);
  return signature === undefined || checker.isImplementationOfOverload(node) !== true;
}

/** The path of a declaration from the root. @param {ts.Declaration} node */
function pathOf(node) {
  return relative(root, node.getSourceFile().fileName).replaceAll('\\', '/');
}

/** @param {ts.Declaration} node */
function sectionOf(node) {
  const path = pathOf(node);
  return SECTIONS.findIndex(({ folders }) =>
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`)),
  );
}

/** A declaration without bodies and private members, in the words of the source. @param {ts.Declaration} node */
function declarationText(node) {
  const source = node.getSourceFile();
  const text = source.text;
  if (ts.isFunctionDeclaration(node) && node.body) {
    return `${text
      .slice(node.getStart(source), node.body.pos)
      .replace(/^export (async )?/, '')
      .trimEnd()};`;
  }
  if (ts.isVariableDeclaration(node)) return variableText(node);
  if (ts.isClassDeclaration(node)) return classText(node);
  return text.slice(node.getStart(source), endOf(node)).replace(/^export /, '');
}

/** With the comment behind it on its last line. @param {ts.Node} node */
function endOf(node) {
  const [comment] = ts.getTrailingCommentRanges(node.getSourceFile().text, node.end) ?? [];
  return comment ? comment.end : node.end;
}

/** @param {ts.VariableDeclaration} node */
function variableText(node) {
  const type = checker.typeToString(
    checker.getTypeAtLocation(node),
    node,
    ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope,
  );
  return `const ${node.name.getText()}: ${type};`;
}

/** @param {ts.ClassDeclaration} node */
function classText(node) {
  const source = node.getSourceFile();
  const head = source.text
    .slice(node.getStart(source), node.members.pos)
    .replace(/^export /, '')
    .trimEnd();
  const members = node.members.filter(isPublic).map((member) => {
    const start = ts.getJSDocCommentsAndTags(member)[0]?.pos ?? member.getStart(source);
    const body = /** @type {{ body?: ts.Node }} */ (member).body;
    const end = body ? body.pos : endOf(member);
    const text = source.text.slice(start, end).trimEnd();
    return `  ${body ? `${text};` : text}`;
  });
  return `${head}\n${members.join('\n')}\n}`;
}

/** @param {ts.ClassElement} member */
function isPublic(member) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  if (ts.getCombinedModifierFlags(member) & hidden) return false;
  return member.name === undefined
    ? ts.isConstructorDeclaration(member)
    : !ts.isPrivateIdentifier(member.name);
}

/** Docstring and tags as Markdown. @param {ts.Declaration} node */
function docText(node) {
  const owner = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  const docs = /** @type {ts.JSDoc[]} */ (ts.getJSDocCommentsAndTags(owner).filter(ts.isJSDoc));
  const doc = docs.at(-1);
  if (!doc) return '';
  const lines = [textOf(doc.comment)];
  const rows = (doc.tags ?? []).map((tag) => tagText(tag));
  const examples = rows.filter((row) => row.startsWith('```'));
  return [...lines, rows.filter((row) => !row.startsWith('```')).join('\n'), ...examples]
    .filter(Boolean)
    .join('\n\n');
}

/** @param {string | ts.NodeArray<ts.JSDocComment> | undefined} comment */
function textOf(comment) {
  return escaped(ts.getTextOfJSDocComment(comment)?.trim() ?? '');
}

/** Vue would read `<` and `{{`, outside of code, as its own. @param {string} text */
function escaped(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part, at) => (at % 2 === 1 ? part : part.replaceAll('<', '&lt;').replaceAll('{{', '&#123;&#123;')))
    .join('');
}

/** @param {ts.JSDocTag} tag */
function tagText(tag) {
  const name = tag.tagName.text;
  if (name === 'example') return `\`\`\`ts\n${ts.getTextOfJSDocComment(tag.comment)?.trim()}\n\`\`\``;
  const of = ts.isJSDocParameterTag(tag) || ts.isJSDocPropertyTag(tag) ? `\`${tag.name.getText()}\`: ` : '';
  const type =
    ts.isJSDocThrowsTag(tag) && tag.typeExpression ? `\`${tag.typeExpression.type.getText()}\`: ` : '';
  return `- **${name}** ${of}${type}${textOf(tag.comment).replace(/^- /, '').replaceAll('\n', ' ')}`;
}

/** Other exports of the page that a declaration names. @param {string} code @param {string} own @param {Set<string>} names */
function linksOf(code, own, names) {
  const words = new Set(code.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '').match(/[A-Za-z_]\w+/g));
  return [...words]
    .filter((word) => word !== own && names.has(word))
    .map((word) => `[\`${word}\`](#${word})`);
}

/** @param {Export} item @param {Set<string>} names */
function partOf({ name, declarations }, names) {
  const code = declarations.map(declarationText).join('\n\n');
  const links = linksOf(code, name, names);
  const see = links.length > 0 ? `See ${links.join(', ')}.` : '';
  const doc = declarations.map(docText).filter(Boolean).at(-1) ?? '';
  return [`### ${name} {#${name}}`, doc, `\`\`\`ts\n${code}\n\`\`\``, see].filter(Boolean).join('\n\n');
}

/** @param {string} page */
function pageText(page) {
  const { file, about } = ENTRIES[/** @type {keyof typeof ENTRIES} */ (page)];
  const items = exportsOf(file);
  const names = new Set(items.map(({ name }) => name));
  const title = page === 'atomoe' ? 'atomoe' : `atomoe/${page}`;
  const sections = SECTIONS.map(({ title: section }, at) => {
    const own = items.filter(({ declarations }) => sectionOf(declarations[0]) === at);
    // What is called comes before the types that it takes.
    own.sort((a, b) => Number(a.isType) - Number(b.isType));
    return own.length === 0 ? '' : [`## ${section}`, ...own.map((item) => partOf(item, names))].join('\n\n');
  });
  return [`# ${title}`, `${about} Written from the docstrings.`, ...sections].filter(Boolean).join('\n\n');
}

const out = resolve(import.meta.dirname, '../api');
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const page of Object.keys(ENTRIES)) await writeFile(join(out, `${page}.md`), `${pageText(page)}\n`);
