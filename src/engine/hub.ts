/** Models by their names on the Hugging Face hub, for pages that show what there is before anything is loaded. */
import type { HubModel, HubOptions } from '../io/hub.ts';
import { hubFileUrl, type HubName } from '../io/hub-name.ts';
import { leastBits } from '../weights/dtypes.ts';
import type { ModelPlan } from './api.ts';

export { hubFileUrl, parseHubName, type HubName } from '../io/hub-name.ts';
export type { HubFile, HubModel, HubOptions } from '../io/hub.ts';

/**
 * Asks the hub for the files of a model: which are there, their sizes, what is proposed, and the licence.
 *
 * @throws {AtomoeError} bad-file - no such model; network
 */
export async function readHubModel(name: HubName, options: HubOptions = {}): Promise<HubModel> {
  const hub = await import('../io/hub.ts');
  return hub.readHubModel(name, options);
}

/** One way to load a model of the hub. */
export interface HubChoice {
  readonly source: string; // the address to plan and to load
  readonly name: string; // the quantisation, a file's name, or `safetensors`
  readonly sizeBytes: number;
  readonly leastBits: number; // that a weight takes in memory: IQ1 to IQ3 are unpacked when they are loaded; 0: as in the file
  readonly isProposed: boolean; // what the model's name alone means
}

/** What can be loaded of a model: its checkpoint, and each of its GGUF files, the largest first. */
export function hubChoices(model: HubModel, hubUrl?: string): HubChoice[] {
  const { repo, revision, hasCheckpoint, checkpointBytes, ggufFiles, proposed } = model;
  const addressOf = (file?: string) => hubFileUrl({ repo, revision, file }, hubUrl);
  const files = ggufFiles.map((file) => ({
    source: addressOf(file.name),
    name: file.quantisation ?? file.name,
    sizeBytes: file.sizeBytes,
    leastBits: leastBits(file.quantisation ?? ''),
    isProposed: !hasCheckpoint && file === proposed,
  }));
  if (!hasCheckpoint) return files;
  const checkpoint = {
    source: addressOf(),
    name: 'safetensors',
    sizeBytes: checkpointBytes,
    leastBits: 0,
    isProposed: true,
  };
  return [checkpoint, ...files];
}

/** Memory that a model takes, in bytes. */
export interface MemoryNeeds {
  readonly whole: number; // with all of its experts
  readonly streamed: number; // with as few of its experts as work: the rest is read when a token needs it
}

/**
 * What a model takes: exactly for what was planned, about for another file of it.
 *
 * @param file - the other one; its weights are taken to be as much larger or smaller as the file, and of no fewer bits than
 *   loading unpacks them to
 */
export function memoryNeeds(
  { bytes, parameters, notes }: ModelPlan,
  file?: Pick<HubChoice, 'sizeBytes' | 'leastBits'>,
): MemoryNeeds {
  const { dense, allExperts, kvCache, activations, staging, least, download } = bytes;
  const others = kvCache + activations + staging;
  const whole = dense + allExperts;
  const isExpanded = notes.some(({ kind }) => kind === 'expanded');
  const share = isExpanded ? 1 : whole / Math.max(1, download); // of a file that weights take
  const taken = file && Math.max(file.sizeBytes * share, (parameters * file.leastBits) / 8);
  const scaled = (weightBytes: number) =>
    others + (taken === undefined ? weightBytes : Math.round((weightBytes * taken) / Math.max(1, whole)));
  return { whole: scaled(whole), streamed: scaled(Math.min(whole, Math.max(0, least - others))) };
}
