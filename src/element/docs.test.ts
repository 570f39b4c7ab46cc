/** docs/element.md and the docstring of the element name everything that there is. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ChatElement } from './chat-element.ts';
import { CONTEXT_RULES } from './context-rule.ts';
import { FEATURES } from './features.ts';

const read = (path: string): string => readFileSync(resolve(import.meta.dirname, path), 'utf8');

const docs = read('../../docs/element.md');
const element = read('chat-element.ts');
const sources = readdirSync(import.meta.dirname)
  .filter(
    (name) =>
      /^(chat-|turn-|thoughts|markdown|settings-|history|remote-|consent-)/.test(name) &&
      !name.includes('.test.'),
  )
  .map(read)
  .join('\n');

test('parts', () => {
  const named = [...sources.matchAll(/\bpart(?:: '|', ['`])([\w -]+)/g)].flatMap(([, names = '']) =>
    names.trim().split(' '),
  );
  expect(named.length).toBeGreaterThan(15);
  for (const part of new Set(named)) {
    expect(docs).toContain(`\`${part}\``);
    expect(element).toContain(`@csspart ${part} -`);
  }
});

test('attributes, features, rules and events', () => {
  for (const name of ChatElement.observedAttributes) {
    expect(docs).toContain(`\`${name}\``);
    expect(element).toContain(`@attr ${name} -`);
  }
  for (const name of [...FEATURES, ...CONTEXT_RULES]) expect(docs).toContain(`\`${name}\``);
  for (const [, name] of element.matchAll(/^ {2}'(chat-\w+)':/gm)) {
    expect(docs).toContain(`\`${name}\``);
    expect(element).toContain(`@fires ${name} -`);
  }
});

test('custom properties', () => {
  for (const [name] of read('chat-style.ts').matchAll(/--atomoe-[\w-]+/g)) {
    expect(docs).toContain(`\`${name}\``);
    expect(element).toContain(`@cssprop ${name} -`);
  }
});
