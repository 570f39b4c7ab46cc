/** The story model with another chat template and control tokens. Not part of the library. */
import { readFileSync } from 'node:fs';
import { memoryFile } from '../../io/memory.ts';
import { nodeFolder } from '../../io/node-file.ts';
import type { FolderSource } from '../../io/source.ts';

const MODEL = 'demo/public/models/fable-omni-8m';

/** A chat template of `fixtures/templates`. */
export function publishedTemplate(name: string): string {
  return readFileSync(`fixtures/templates/${name}.jinja`, 'utf8');
}

interface Tokens {
  readonly added_tokens: object[];
  readonly model: { vocab: Record<string, number>; merges: (string | string[])[] };
}

/** The model's tokenizer.json, whose last tokens become control tokens. */
export function tokenizerWith(special: readonly string[]): Tokens {
  const {
    added_tokens: added,
    model,
    ...rest
  } = JSON.parse(readFileSync(`${MODEL}/tokenizer.json`, 'utf8')) as Tokens;
  const first = Object.keys(model.vocab).length - special.length;
  const vocab = Object.fromEntries(Object.entries(model.vocab).filter(([, id]) => id < first));
  const partsOf = (merge: string | string[]) => (typeof merge === 'string' ? merge.split(' ') : merge);
  const merges = model.merges.filter((merge) =>
    [...partsOf(merge), partsOf(merge).join('')].every((part) => part in vocab),
  );
  const control = special.map((content, at) => ({
    ...{ id: first + at, content, special: true, normalized: false },
  }));
  return { ...rest, added_tokens: [...added, ...control], model: { ...model, vocab, merges } };
}

/** Positions that it takes: more than it was trained with, for long templates. */
export const CONTEXT = 2000;

/** The model; `ends` are the ids that end its replies. */
export async function templatedModel(
  chatTemplate: string,
  { special = [], ends = [0] }: { special?: readonly string[]; ends?: readonly number[] } = {},
): Promise<FolderSource> {
  const folder = await nodeFolder(MODEL);
  const config = JSON.parse(readFileSync(`${MODEL}/config.json`, 'utf8')) as object;
  const files: Readonly<Record<string, string>> = {
    'chat_template.jinja': chatTemplate,
    'config.json': JSON.stringify({ ...config, max_position_embeddings: CONTEXT, eos_token_id: ends }),
    'tokenizer.json': JSON.stringify(tokenizerWith(special)),
  };
  return {
    label: 'templated',
    async open(name, options) {
      const text = files[name];
      return text === undefined
        ? folder.open(name, options)
        : memoryFile(name, new TextEncoder().encode(text));
    },
  };
}
