/** What a plan says of a model's files and host beside its sizes. */
import type { Checkpoint } from '../../containers/checkpoint.ts';
import { printable } from '../../errors.ts';
import type { ExpertPlan } from '../../experts/expert-plan.ts';
import type { ModelSpec } from '../../models/spec.ts';
import type { PlanNote } from '../api.ts';
import { endsOf, notApplied } from '../talk/generation-defaults.ts';

/** What notes are made of. */
export interface NotedModel {
  readonly checkpoint: Checkpoint;
  readonly spec: ModelSpec;
  readonly contextTokens: number;
  readonly experts: ExpertPlan | undefined;
}

/** Bytes of experts that are not read, because fewer bits are wanted. */
export function savedBytes({ experts }: Pick<NotedModel, 'experts'>): number {
  return experts ? experts.records * (experts.savedBytes ?? 0) : 0;
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
      message: `expertBits leaves out ${savedBytes(model)} bytes of experts: replies differ from those of all bits`,
    });
  }
  return notes;
}
