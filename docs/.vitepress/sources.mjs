import { posix } from 'node:path';

/** Files with capitals are read in the repository, too, where that is how documents are named. */
export const renamed = Object.fromEntries(
  ['CLIENTS', 'CONSTRAINTS', 'DECODING', 'MODELS', 'PAPERS', 'ROUTING', 'SESSIONS', 'TOOLS'].map((name) => [
    `${name}.md`,
    `${name.toLowerCase()}.md`,
  ]),
);

/** Pages of the site that stand for a file of the repository. */
const PAGES = {
  'README.md': '/index.md',
  'ARCHITECTURE.md': '/architecture.md',
  ...Object.fromEntries(Object.entries(renamed).map(([file, page]) => [`docs/${file}`, `/${page}`])),
  'src/cli/README.md': '/command-line.md',
};

/**
 * Links that leave the folder of the documents: to pages that show the file, to the repository where the publisher named
 * it (`ATOMOE_SOURCES_URL`), or else they become text that tells the file's path.
 *
 * @param {any} md - VitePress' Markdown renderer
 * @param {string | undefined} sourcesUrl - such as `https://host/org/atomoe/blob/main/`
 */
export function linkToSources(md, sourcesUrl) {
  md.core.ruler.push('sources', (/** @type {any} */ { tokens, env }) => {
    for (const { children, type } of tokens) {
      if (type !== 'inline') continue;
      children.forEach((/** @type {any} */ token, /** @type {number} */ at) => {
        if (token.type === 'link_open') rewrite(token, children.slice(at), folderOf(env), sourcesUrl);
      });
    }
  });
}

/**
 * @param {any} token - the beginning of a link
 * @param {any[]} rest - it and all tokens behind it
 * @param {string} folder - of the file with the link
 * @param {string | undefined} sourcesUrl
 */
function rewrite(token, rest, folder, sourcesUrl) {
  const [path = '', hash = ''] = token.attrGet('href').split(/(?=#)/);
  if (path === '' || /^([a-z]+:|\/)/.test(path)) return;
  const file = posix.join(folder, decodeURI(path));
  if (Object.hasOwn(PAGES, file)) token.attrSet('href', PAGES[/** @type {keyof PAGES} */ (file)] + hash);
  else if (file.startsWith('docs/')) return;
  else if (sourcesUrl) token.attrSet('href', new URL(file, sourcesUrl).href + hash);
  else {
    const close = rest.find(({ type }) => type === 'link_close');
    Object.assign(token, { type: 'html_inline', content: `<span class="source" title="${file}">` });
    Object.assign(close, { type: 'html_inline', content: '</span>' });
  }
}

/** Where the text was written: pages that include a file of another folder say so in `from`. @param {any} env */
function folderOf({ frontmatter, relativePath }) {
  return frontmatter?.from ?? posix.join('docs', posix.dirname(relativePath ?? ''));
}
