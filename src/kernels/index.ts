import { BUILT_IN_FORMATS, loadFormats } from '../weights/formats/index.ts';
import type { Program } from '../gpu/program.ts';
import { addNormed } from './norm/add-normed.ts';
import { addRmsNorm } from './norm/add-rms-norm.ts';
import { addWeighed } from './core/add-weighed.ts';
import { addShared } from './core/add-shared.ts';
import { embedding } from './core/embedding.ts';
import { gluActivation } from './core/glu-activation.ts';
import { scaleRows } from './core/scale-rows.ts';
import { softCap } from './core/soft-cap.ts';
import { takeRow } from './core/take-row.ts';
import { expertCombine } from './experts/expert-combine.ts';
import { expertDown, expertDownPairs } from './experts/expert-down.ts';
import { expertGateUp } from './experts/expert-gate-up.ts';
import { expertDownTiled, expertGateUpTiled } from './experts/expert-tiled.ts';
import { gate } from './routing/gate.ts';
import { hookedGate } from './routing/hooked-gate.ts';
import { hookLogits } from './routing/hook-logits.ts';
import { route, routeScores } from './routing/route.ts';
import { listedRoutes, listedScores } from './routing/route.testing.ts';
import { attentionReceived } from './routing/attention-received.ts';
import { mixTokens } from './routing/mix-tokens.ts';
import { protectTokens } from './routing/protect-tokens.ts';
import { capacity } from './routing/capacity.ts';
import { expertChoice } from './routing/expert-choice.ts';
import { sinkhorn } from './routing/sinkhorn.ts';
import { programs } from './kernel.ts';
import { attentionTiled } from './attention/attention-tiled.ts';
import { sampleBlocksKernel, samplePick, sampleRank } from './sample/sample.ts';
import { seenMark } from './sample/seen-mark.ts';
import { logitsPenalty } from './sample/logits-penalty.ts';
import { attentionValues } from './attention/attention-values.ts';
import { attentionScores } from './attention/attention-scores.ts';
import { attentionCombine } from './attention/attention-combine.ts';
import { attention } from './attention/attention.ts';
import { keyBias } from './attention/key-bias.ts';
import { atomicCombine } from './atomic/atomic-combine.ts';
import { atomicScores } from './atomic/atomic-scores.ts';
import { atomicScoresGrouped } from './atomic/atomic-scores-grouped.ts';
import { pairSortCount, pairSortScan, pairSortScatter } from './atomic/pair-sort.ts';
import { productHalves } from './routing/product-halves.ts';
import { cells } from './routing/cells.ts';
import { expertRoom } from './routing/expert-room.ts';
import { heldRows } from './routing/held-rows.ts';
import { promptRows } from './routing/prompt-rows.ts';
import { pairLinear } from './routing/pair-linear.ts';
import { productKeys } from './routing/product-keys.ts';
import { productRoute } from './routing/product-route.ts';
import { linear } from './linear/linear.ts';
import { linearTiled } from './linear/linear-tiled.ts';
import { layerNorm } from './norm/layer-norm.ts';
import { rmsNorm } from './norm/rms-norm.ts';
import { ropeKv } from './attention/rope-kv.ts';
import { skipLight } from './routing/skip-light.ts';
import { latentKeys, latentQuery, latentValues } from './attention/latent.ts';
import { gatedNorm } from './norm/gated-norm.ts';
import { causalConv } from './recurrent/causal-conv.ts';
import { deltaScan } from './recurrent/delta-scan.ts';
import { gateSigmoid } from './core/gate-sigmoid.ts';
import { stateScan } from './recurrent/state-scan.ts';
import { shortConv } from './recurrent/short-conv.ts';
import { sparseDispatch } from './experts/sparse-dispatch.ts';

await loadFormats(BUILT_IN_FORMATS);

/** Every kernel in every listed variant. New kernels are added here. */
export const allPrograms: readonly Program[] = [
  ...programs(gate),
  ...programs(hookedGate),
  ...programs(hookLogits),
  ...programs({ ...route, variants: listedRoutes() }),
  ...programs(sinkhorn),
  ...programs(expertChoice),
  ...programs(capacity),
  ...programs(cells),
  ...programs(expertRoom),
  ...programs(heldRows),
  ...programs(promptRows),
  ...programs(pairLinear),
  ...programs(mixTokens),
  ...programs(attentionReceived),
  ...programs(protectTokens),
  ...programs({ ...routeScores, variants: listedScores() }),
  ...programs(shortConv),
  ...programs(causalConv),
  ...programs(stateScan),
  ...programs(deltaScan),
  ...programs(gateSigmoid),
  ...programs(gatedNorm),
  ...programs(latentQuery),
  ...programs(latentKeys),
  ...programs(latentValues),
  ...programs(sparseDispatch),
  ...programs(expertGateUp),
  ...programs(expertDown),
  ...programs(expertDownPairs),
  ...programs(expertCombine),
  ...programs(expertGateUpTiled),
  ...programs(expertDownTiled),
  ...programs(layerNorm),
  ...programs(rmsNorm),
  ...programs(ropeKv),
  ...programs(attention),
  ...programs(keyBias),
  ...programs(attentionCombine),
  ...programs(addNormed),
  ...programs(addRmsNorm),
  ...programs(addShared),
  ...programs(addWeighed),
  ...programs(embedding),
  ...programs(gluActivation),
  ...programs(linear),
  ...programs(linearTiled),
  ...programs(scaleRows),
  ...programs(softCap),
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
