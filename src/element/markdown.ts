/**
 * Markdown as nodes. marked divides the text; nodes are made here, one by one, from the kinds that are known, and all else
 * is text. No HTML is ever parsed, so there is nothing to sanitise, and no address is loaded: images are links.
 */
import { Lexer, type Token, type Tokens } from 'marked';
import { fill, type ChatTexts } from './chat-texts.ts';
import { copyText, h } from './dom.ts';
import type { TextBody } from './turn-view.ts';

export { richSheet } from './rich-style.ts';

/** Blocks at the end that text to come may still change: a paragraph and what may become part of it. */
const OPEN_BLOCKS = 2;

interface Block {
  readonly raw: string;
  readonly node: Node | undefined; // of white space
}

/** A text that grows, shown as Markdown. Only its last blocks are made again. */
export class MarkdownBody implements TextBody {
  readonly element: HTMLElement = h('div', { class: 'markdown' });
  readonly #texts: ChatTexts;
  #shown = '';
  #settled = 0; // characters whose nodes stay
  #open: Block[] = [];

  constructor(texts: ChatTexts) {
    this.#texts = texts;
  }

  show(text: string): boolean {
    if (text === this.#shown) return false;
    if (!text.startsWith(this.#shown)) this.#clear();
    this.#shown = text;
    const tokens = new Lexer({ gfm: true }).lex(text.slice(this.#settled));
    const same = this.#open.findIndex(({ raw }, index) => raw !== tokens[index]?.raw);
    const kept = same < 0 ? this.#open : this.#open.slice(0, same);
    for (const { node } of this.#open.slice(kept.length)) node?.parentNode?.removeChild(node);
    const added = tokens.slice(kept.length).map((token): Block => {
      return { raw: token.raw, node: blockNode(token, this.#texts) };
    });
    this.element.append(...added.flatMap(({ node }) => node ?? []));
    this.#open = [...kept, ...added];
    this.#settle();
    return true;
  }

  /** Lets go of the blocks that can no longer change. */
  #settle(): void {
    const full = this.#open.flatMap(({ node }, index) => (node ? [index] : []));
    const first = full.at(-OPEN_BLOCKS);
    if (first === undefined || full.length < OPEN_BLOCKS) return;
    // marked writes line ends as \n: where the text has others, lengths differ and all stays open.
    const raw = this.#open
      .slice(0, first)
      .map((block) => block.raw)
      .join('');
    if (!this.#shown.startsWith(raw, this.#settled)) return;
    this.#settled += raw.length;
    this.#open = this.#open.slice(first);
  }

  #clear(): void {
    this.element.replaceChildren();
    this.#shown = '';
    this.#settled = 0;
    this.#open = [];
  }
}

function blockNode(token: Token, texts: ChatTexts): Node | undefined {
  switch (token.type) {
    case 'space':
    case 'def':
      return undefined;
    case 'hr':
      return h('hr');
    case 'heading':
      // Below the headings of the page, whatever the model thinks of them.
      return h('p', { class: 'heading', role: 'heading', 'aria-level': '5' }, ...inlineNodes(token, texts));
    case 'paragraph':
      return h('p', {}, ...inlineNodes(token, texts));
    case 'blockquote':
      return h('blockquote', {}, ...blockNodes(token.tokens, texts));
    case 'code':
      return codeNode(token as Tokens.Code, texts);
    case 'list':
      return listNode(token as Tokens.List, texts);
    case 'table':
      return tableNode(token as Tokens.Table, texts);
    case 'checkbox':
      return checkbox(token);
    case 'text':
      return h('span', {}, ...inlineNodes(token, texts));
    default:
      return h('p', {}, token.raw); // HTML is text
  }
}

function blockNodes(tokens: readonly Token[] | undefined, texts: ChatTexts): Node[] {
  return (tokens ?? []).flatMap((token) => blockNode(token, texts) ?? []);
}

function listNode({ ordered, start, items }: Tokens.List, texts: ChatTexts): Node {
  const children = items.map((item) => h('li', {}, ...blockNodes(item.tokens, texts)));
  return ordered
    ? h('ol', { start: String(start === '' ? 1 : start) }, ...children)
    : h('ul', {}, ...children);
}

function tableNode({ header, rows }: Tokens.Table, texts: ChatTexts): Node {
  const row = (cells: readonly Tokens.TableCell[], tag: 'th' | 'td'): HTMLElement =>
    h(
      'tr',
      {},
      ...cells.map((cell) => h(tag, { class: cell.align ?? undefined }, ...inlineNodes(cell, texts))),
    );
  const body = rows.map((cells) => row(cells, 'td'));
  const table = h('table', {}, h('thead', {}, row(header, 'th')), h('tbody', {}, ...body));
  return h('div', { class: 'table', tabindex: '0' }, table);
}

function codeNode({ text, lang = '' }: Tokens.Code, texts: ChatTexts): Node {
  const button = h('button', { type: 'button', class: 'small' }, texts.copyCode);
  button.addEventListener('click', () => {
    void copyText(text).then((isCopied) => (button.textContent = isCopied ? texts.copied : texts.notCopied));
  });
  const head = h('div', { class: 'code-head' }, h('span', {}, /^\S*/.exec(lang)?.[0] ?? ''), button);
  return h(
    'div',
    { class: 'code', part: 'code', dir: 'ltr' },
    head,
    h('pre', { tabindex: '0' }, h('code', {}, text)),
  );
}

function inlineNodes(
  parent: { readonly tokens?: readonly Token[]; readonly text?: string },
  texts: ChatTexts,
): Node[] {
  if (!parent.tokens) return [new Text(decoded(parent.text ?? ''))];
  return parent.tokens.flatMap((token) => inlineNode(token, texts));
}

function inlineNode(token: Token, texts: ChatTexts): Node | Node[] {
  switch (token.type) {
    case 'strong':
      return h('strong', {}, ...inlineNodes(token, texts));
    case 'em':
      return h('em', {}, ...inlineNodes(token, texts));
    case 'del':
      return h('del', {}, ...inlineNodes(token, texts));
    case 'codespan':
      return h('code', { dir: 'ltr' }, String(token['text']));
    case 'br':
      return h('br');
    case 'checkbox':
      return checkbox(token);
    case 'link':
      return linkNodes(String(token['href']), inlineNodes(token, texts));
    case 'image':
      return linkNodes(String(token['href']), [new Text(fill(texts.image, { alt: String(token['text']) }))]);
    case 'text':
    case 'escape':
      return inlineNodes(token, texts);
    default:
      return new Text(token.raw); // HTML is text
  }
}

function checkbox(token: Token): Text {
  return new Text('checked' in token && token.checked === true ? '☑ ' : '☐ ');
}

/** A link, and where it leads: a text may say something else. What is not on the web stays text. */
function linkNodes(href: string, label: readonly Node[]): Node[] {
  const url = URL.canParse(href) ? new URL(href) : undefined;
  const shown = label.map((node) => node.textContent).join('');
  const isSame = shown === href || url?.href === `mailto:${shown}` || url?.href === `http://${shown}/`;
  const target = isSame ? [] : [h('span', { class: 'target' }, ` (${url?.href ?? href})`)];
  if (!url || !['http:', 'https:', 'mailto:'].includes(url.protocol)) return [...label, ...target];
  const rel = 'noopener noreferrer nofollow';
  return [h('a', { href: url.href, rel, target: '_blank' }, ...label), ...target];
}

const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
};

/** Characters that are written by name or number; unknown names stay as they are. */
function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\dA-Fa-f]{1,6})|(\w{2,6}));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return NAMED[String(name)] ?? whole;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}
