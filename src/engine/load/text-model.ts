import type { Checkpoint } from '../../containers/checkpoint.ts';
import { textPart } from '../../containers/text-part.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { ConfigFamily } from '../../models/family.ts';
import { familyConfig } from '../../models/registry.ts';

/** The part of a checkpoint that a family runs: the text model of one that also reads images or sound. */
export function textModelOf(checkpoint: Checkpoint, families: readonly ConfigFamily[] = []): Checkpoint {
  const config = familyConfig(checkpoint.config, families);
  return config === checkpoint.config ? checkpoint : textPart(checkpoint, config as JsonObject);
}
