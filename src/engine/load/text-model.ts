import type { Checkpoint } from '../../containers/checkpoint.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { ConfigFamily } from '../../models/family.ts';
import { familyConfig } from '../../models/registry.ts';

/** The part of a checkpoint that a family runs: the text model of one that also reads images or sound. */
export async function textModelOf(
  checkpoint: Checkpoint,
  families: readonly ConfigFamily[] = [],
): Promise<Checkpoint> {
  const config = familyConfig(checkpoint.config, families);
  if (config === checkpoint.config) return checkpoint;
  const { textPart } = await import('../../containers/text-part.ts');
  return textPart(checkpoint, config as JsonObject);
}
