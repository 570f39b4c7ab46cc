/** Where models come from on this page: the embedded ones, a pasted link, dropped files. */
import type { ModelSource } from '../src/engine/api.ts';
import { parseHubName } from '../src/worker/index.ts';

/** What a model takes. */
export interface ModelFacts {
  readonly family: string;
  readonly downloadBytes: number;
  readonly holdBytes: number; // of memory, with all experts in it
  readonly leastBytes: number; // of memory, with few
  readonly licence: string | undefined;
}

/** A model of this page; its facts are said before its headers are read. */
export interface EmbeddedModel extends ModelFacts {
  readonly id: string;
  readonly name: string;
}

/** Most of its experts may stay out of GPU memory: 13 of 30 MB suffice. */
export const ROOMY: EmbeddedModel = {
  id: 'fable-moe-12m',
  name: 'Fable MoE 12M',
  family: 'qwen3_moe',
  downloadBytes: 24_217_400,
  holdBytes: 29_873_116,
  leastBytes: 11_736_796,
  licence: 'MIT',
};

/** The first is chosen on a first visit. */
export const EMBEDDED: readonly EmbeddedModel[] = [
  {
    id: 'fable-omni-8m',
    name: 'Fable Omni 8M',
    family: 'omnimoe',
    downloadBytes: 17_125_200,
    holdBytes: 21_269_388,
    leastBytes: 18_124_684,
    licence: 'MIT',
  },
  ROOMY,
];

/** The largest model that fits a budget whole; where there is none, the largest that can be streamed in it. */
export function suggestModel<T extends { readonly facts: ModelFacts | undefined }>(
  models: readonly T[],
  budgetBytes: number,
): T | undefined {
  const largest = (need: 'holdBytes' | 'leastBytes'): T | undefined =>
    models
      .filter(({ facts }) => facts && facts[need] <= budgetBytes)
      .toSorted((a, b) => (b.facts?.holdBytes ?? 0) - (a.facts?.holdBytes ?? 0))[0];
  return largest('holdBytes') ?? largest('leastBytes');
}

export function embeddedUrl(id: string, base: string): string {
  return new URL(`models/${id}/`, base).href;
}

/** A link as people copy it: names and pages of the Hugging Face hub stay what they are, a folder gets its last slash. */
export function modelUrl(link: string): string {
  const text = link.trim();
  if (parseHubName(text) || !URL.canParse(text)) return text; // the engine says what is wrong with the others
  const url = new URL(text);
  const isFile = /\.(safetensors|gguf|json)$/i.test(url.pathname);
  if (!isFile && !url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/** A name for a person: the folder or file at the end of the address, or the files themselves. */
export function sourceName(source: ModelSource): string {
  if (typeof source === 'string') return source.split(/[?#]/)[0]?.split('/').filter(Boolean).at(-1) ?? source;
  if ('open' in source) return source.label;
  const [first] = source;
  const folder = first?.webkitRelativePath.split('/')[0];
  return folder || (source.length === 1 ? (first?.name ?? 'nothing') : `${source.length} files`);
}

/** The files of a drop, folders included. Must be called in the event itself: the list is emptied after it. */
export async function droppedFiles(items: DataTransferItemList): Promise<File[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = await Promise.all(entries.map((entry) => filesOf(entry)));
  return files.flat();
}

async function filesOf(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    return [
      await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
    ];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const files: File[] = [];
  for (;;) {
    // A reader gives at most a hundred entries at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return files;
    for (const each of some) files.push(...(await filesOf(each)));
  }
}
