/** Models by their names on the Hugging Face hub, for pages that show what there is before anything is loaded. */
import type { HubModel, HubOptions } from '../io/hub.ts';
import { hubFileUrl, type HubName } from '../io/hub-name.ts';
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
    isProposed: !hasCheckpoint && file === proposed,
  }));
  if (!hasCheckpoint) return files;
  const checkpoint = {
    source: addressOf(),
    name: 'safetensors',
    sizeBytes: checkpointBytes,
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
 * @param sizeBytes - of the other file, whose weights are taken to be as much larger or smaller
 */
export function memoryNeeds({ bytes }: ModelPlan, sizeBytes = bytes.download): MemoryNeeds {
  const { dense, allExperts, kvCache, activations, staging, least, download } = bytes;
  const others = kvCache + activations + staging;
  const scaled = (weightBytes: number) =>
    others + Math.round((weightBytes * sizeBytes) / Math.max(1, download));
  const whole = dense + allExperts;
  return { whole: scaled(whole), streamed: scaled(Math.min(whole, Math.max(0, least - others))) };
}
