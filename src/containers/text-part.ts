/** The text model in the files of a model that also reads images or sound. */
import type { JsonObject } from '../io/json-file.ts';
import type { Checkpoint } from './checkpoint.ts';

/** How such files begin the names of the text model's tensors, and how a text model begins them. */
const PREFIXES = [
  { whole: 'model.language_model.', text: 'model.' }, // transformers 5
  { whole: 'language_model.model.', text: 'model.' }, // transformers 4
  { whole: 'language_model.lm_head.', text: 'lm_head.' },
  { whole: 'lm_head.', text: 'lm_head.' },
] as const;

/**
 * The checkpoint of the text model: its tensors by the names of a text model, and no others. Errors have the names of the file.
 *
 * @param config - of the text model
 */
export function textPart(checkpoint: Checkpoint, config: JsonObject): Checkpoint {
  const textName = (name: string): string | undefined => {
    const prefix = PREFIXES.find(({ whole }) => name.startsWith(whole));
    return prefix && prefix.text + name.slice(prefix.whole.length);
  };
  const isWhole = ({ whole }: (typeof PREFIXES)[number]) => whole.includes('language_model');
  const names = [...checkpoint.names(), ...checkpoint.lost.keys()];
  // A text model whose config was written with the sections of the whole.
  if (!names.some((name) => PREFIXES.filter(isWhole).some(({ whole }) => name.startsWith(whole)))) {
    return { ...checkpoint, config };
  }
  const nameInFile = (name: string): string => {
    const spellings = PREFIXES.filter(({ text }) => name.startsWith(text)).map(
      ({ whole, text }) => whole + name.slice(text.length),
    );
    const isThere = (each: string) => checkpoint.tensor(each) !== undefined || checkpoint.lost.has(each);
    return spellings.find(isThere) ?? spellings[0] ?? name;
  };
  return {
    ...checkpoint,
    config,
    *names() {
      for (const name of checkpoint.names()) {
        const text = textName(name);
        if (text !== undefined) yield text;
      }
    },
    tensor: (name) => checkpoint.tensor(nameInFile(name)),
    readsRows: (name) => checkpoint.readsRows?.(nameInFile(name)) ?? false,
    lost: new Map([...checkpoint.lost].flatMap(([name, why]) => textPairs(textName(name), why))),
    read: (name, options) => checkpoint.read(nameInFile(name), options),
    readF32: (name, options) => checkpoint.readF32(nameInFile(name), options),
  };
}

function textPairs<T>(name: string | undefined, value: T): [string, T][] {
  return name === undefined ? [] : [[name, value]];
}
