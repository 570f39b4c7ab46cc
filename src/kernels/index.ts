import type { Program } from '../gpu/program.ts';
import { addRmsNorm } from './add-rms-norm.ts';
import { addShared } from './add-shared.ts';
import { embedding } from './embedding.ts';
import { gluActivation } from './glu-activation.ts';
import { takeRow } from './take-row.ts';
import { expertCombine } from './expert-combine.ts';
import { expertDown, expertDownPairs } from './expert-down.ts';
import { expertGateUp } from './expert-gate-up.ts';
import { expertDownTiled, expertGateUpTiled } from './expert-tiled.ts';
import { gate } from './gate.ts';
import { programs } from './kernel.ts';
import { attentionTiled } from './attention-tiled.ts';
import { sampleBlocksKernel, samplePick, sampleRank } from './sample.ts';
import { seenMark } from './seen-mark.ts';
import { logitsPenalty } from './logits-penalty.ts';
import { attentionValues } from './attention-values.ts';
import { attentionScores } from './attention-scores.ts';
import { attentionCombine } from './attention-combine.ts';
import { attention } from './attention.ts';
import { atomicCombine } from './atomic-combine.ts';
import { atomicScores } from './atomic-scores.ts';
import { atomicScoresGrouped } from './atomic-scores-grouped.ts';
import { pairSortCount, pairSortScan, pairSortScatter } from './pair-sort.ts';
import { productHalves } from './product-halves.ts';
import { productKeys } from './product-keys.ts';
import { productRoute } from './product-route.ts';
import { linear } from './linear.ts';
import { linearTiled } from './linear-tiled.ts';
import { rmsNorm } from './rms-norm.ts';
import { ropeKv } from './rope-kv.ts';
import { skipLight } from './skip-light.ts';
import { sparseDispatch } from './sparse-dispatch.ts';

/** Every kernel in every variant that the engine may ask for. A new kernel is added here and nowhere else. */
export const allPrograms: readonly Program[] = [
  ...programs(gate),
  ...programs(sparseDispatch),
  ...programs(expertGateUp),
  ...programs(expertDown),
  ...programs(expertDownPairs),
  ...programs(expertCombine),
  ...programs(expertGateUpTiled),
  ...programs(expertDownTiled),
  ...programs(rmsNorm),
  ...programs(ropeKv),
  ...programs(attention),
  ...programs(attentionCombine),
  ...programs(addRmsNorm),
  ...programs(addShared),
  ...programs(embedding),
  ...programs(gluActivation),
  ...programs(linear),
  ...programs(linearTiled),
  ...programs(takeRow),
  ...programs(attentionScores),
  ...programs(attentionValues),
  ...programs(atomicCombine),
  ...programs(atomicScores),
  ...programs(atomicScoresGrouped),
  ...programs(pairSortCount),
  ...programs(pairSortScan),
  ...programs(pairSortScatter),
  ...programs(productHalves),
  ...programs(productKeys),
  ...programs(productRoute),
  ...programs(sampleBlocksKernel),
  ...programs(samplePick),
  ...programs(sampleRank),
  ...programs(logitsPenalty),
  ...programs(seenMark),
  ...programs(skipLight),
  ...programs(attentionTiled),
];
