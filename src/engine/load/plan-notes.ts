/** What a plan says of a model's files and host beside its sizes. */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { printable } from '../../errors.ts';
import { savedBytes, type ExpertPlan } from '../../experts/expert-plan.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { ModelSpec } from '../../models/spec.ts';
import type { PlanNote } from '../api.ts';
import { endsOf } from '../talk/generation-defaults.ts';

/** What notes are made of. */
export interface NotedModel {
  readonly checkpoint: Checkpoint;
  readonly spec: ModelSpec;
  readonly contextTokens: number;
  readonly experts: ExpertPlan | undefined;
}

/** What its host and its files lack, and what is left out of them. */
export function notesOf(model: NotedModel): PlanNote[] {
  const { checkpoint, spec, contextTokens, experts } = model;
  const { unrangedBytes, unverified, expanded, generationConfig } = checkpoint;
  const notes: PlanNote[] = [];
  const ignored = notApplied(generationConfig, contextTokens);
  if (ignored.length > 0) {
    notes.push({
      kind: 'generation-config',
      message:
        `generation_config.json sets ${ignored.join(', ')}, which Atomoe does not apply: replies may differ from those of ` +
        'transformers',
    });
  }
  const ends = endsOf(spec, generationConfig);
  if (ends.beyond.length > 0 && ends.ids.length === 0) {
    const shown = printable(ends.beyond.map((id) => JSON.stringify(id)).join(', ')).slice(0, 60);
    notes.push({
      kind: 'no-end',
      message:
        `the model's configs name ${shown} as the end of a reply, and the vocabulary has ${spec.vocab} tokens: replies ` +
        'may go on until maxTokens',
    });
  }
  if (unrangedBytes > 0) {
    notes.push({
      kind: 'no-ranges',
      message:
        `the host does not give parts of files (HTTP ranges): loading downloads ${unrangedBytes} bytes at once, whatever the ` +
        `memory budget, and experts cannot come as they are needed; a host with ranges starts sooner`,
    });
  }
  if (unverified !== undefined) notes.push({ kind: 'no-dense-hashes', message: unverified });
  if (expanded !== undefined) notes.push({ kind: 'expanded', message: expanded });
  if (experts?.savedBytes) {
    notes.push({
      kind: 'fewer-bits',
      message: `expertBits leaves out ${savedBytes(experts)} bytes of experts: replies differ from those of all bits`,
    });
  }
  return notes;
}

/**
 * What transformers would do and Atomoe does not, by the key that asks for it, with the values that ask for nothing; null
 * and what is empty never ask for anything.
 */
const NOT_APPLIED: Readonly<Record<string, readonly unknown[]>> = {
  num_beams: [1],
  num_beam_groups: [1],
  num_return_sequences: [1],
  diversity_penalty: [0],
  top_h: [],
  penalty_alpha: [0],
  typical_p: [1],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  no_repeat_ngram_size: [0],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  guidance_scale: [1],
  min_length: [0],
  min_new_tokens: [0],
  max_time: [],
  bad_words_ids: [],
  force_words_ids: [],
  constraints: [],
  sequence_bias: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  exponential_decay_length_penalty: [],
  prompt_lookup_num_tokens: [],
  dola_layers: [],
  watermarking_config: [],
  renormalize_logits: [false],
  remove_invalid_values: [false],
  token_healing: [false],
  forced_decoder_ids: [],
};

/**
 * The keys of a generation_config.json that ask for what Atomoe does not do. `max_length`, of the prompt and the reply, is
 * one where the context does not end before it, and `max_new_tokens` does not take its place.
 */
export function notApplied(config: JsonObject = {}, contextTokens = 0): string[] {
  const ignored = Object.entries(NOT_APPLIED).flatMap(([key, neutral]) => {
    const value: unknown = Object.hasOwn(config, key) ? config[key] : undefined;
    const isNeutral = isEmpty(value) || neutral.includes(value);
    return isNeutral ? [] : [key];
  });
  const { max_length: most, max_new_tokens: mostNew } = config;
  const isShort = typeof most === 'number' && most < contextTokens && isEmpty(mostNew);
  return isShort ? [...ignored, 'max_length'] : ignored;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
