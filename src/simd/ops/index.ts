/** The ops that have a form in WebAssembly, by name. The others run by their reference. */
import type { SimdKernels } from '../kernels.ts';
import type { SimdOp } from '../run.ts';
import { atomicExperts } from './atomic-experts.ts';
import { attention, ropeKv } from './attention.ts';
import {
  addNormed,
  addRmsNorm,
  addShared,
  embedding,
  gluActivation,
  layerNorm,
  linear,
  rmsNorm,
  scaleRows,
  softCap,
  takeRow,
} from './dense.ts';
import { experts } from './experts.ts';
import { latentKeys, latentQuery, latentValues } from './latent.ts';
import { deltaScan, stateScan } from './recurrent.ts';
import { hookedGate } from './hooked-gate.ts';
import { gate, productRoute } from './routing.ts';
import { penalty, sample } from './sample.ts';

/** An op, and the kernels it calls beside those of weight formats, which it looks up itself. */
interface SimdRow {
  readonly op: SimdOp<object>;
  readonly needs: readonly (keyof SimdKernels)[];
}

/** Nodes are made by `defineOp`: what a node carries is of the type that belongs to its op's name. */
function row<Io extends object>(op: SimdOp<Io>, ...needs: readonly (keyof SimdKernels)[]): SimdRow {
  return { op: op as SimdOp<object>, needs };
}

/** The ops by name; an op that is not listed runs by its reference. */
export const SIMD_OPS: Readonly<Partial<Record<string, SimdRow>>> = {
  'add-normed': row(addNormed, 'add_normed'),
  'add-rms-norm': row(addRmsNorm, 'add_rms_norm'),
  'add-shared': row(addShared, 'add_shared'),
  'atomic-experts': row(atomicExperts, 'sort_pairs'),
  attention: row(attention, 'attention'),
  'delta-scan': row(deltaScan, 'delta_scan'),
  embedding: row(embedding),
  experts: row(experts, 'gather_rows', 'combine'),
  gate: row(gate, 'gate_top_k'),
  'glu-activation': row(gluActivation, 'glu_activation'),
  'hooked-gate': row(hookedGate, 'gate_top_k'),
  'latent-keys': row(latentKeys, 'latent_keys'),
  'latent-query': row(latentQuery, 'latent_query'),
  'latent-values': row(latentValues, 'latent_values'),
  'layer-norm': row(layerNorm, 'layer_norm'),
  linear: row(linear),
  'product-route': row(productRoute, 'product_route'),
  'repetition-penalty': row(penalty, 'penalty'),
  'rms-norm': row(rmsNorm, 'rms_norm'),
  'rope-kv': row(ropeKv, 'rope_kv', 'rms_norm'),
  sample: row(sample, 'sample'),
  'scale-rows': row(scaleRows, 'scale_rows'),
  'soft-cap': row(softCap, 'soft_cap'),
  'state-scan': row(stateScan, 'state_scan'),
  'take-row': row(takeRow),
};
