/** `atomoe/ops`: what graphs of families, mixers, routers and expert kinds from outside are made of. */
export { atomicExpertsNode } from './graph/ops/atomic-experts.ts';
export { attentionNode } from './graph/ops/attention.ts';
export {
  addNormedNode,
  addRmsNormNode,
  addSharedNode,
  embeddingNode,
  gluActivationNode,
  lastRowNode,
  scaleRowsNode,
  softCapNode,
} from './graph/ops/basic.ts';
export { gateSigmoidNode } from './graph/ops/gate-sigmoid.ts';
export { latentKeysNode, latentQueryNode, latentValuesNode } from './graph/ops/latent.ts';
export { linearNode } from './graph/ops/linear.ts';
export { gateNode } from './graph/ops/gate.ts';
export { expertsNode } from './graph/ops/moe.ts';
export { layerNormNode, rmsNormNode } from './graph/ops/norm.ts';
export { productRouteNode } from './graph/ops/product-route.ts';
export { causalConvNode, deltaScanNode, gatedNormNode, stateScanNode } from './graph/ops/recurrent.ts';
export { shortConvNode } from './graph/ops/short-conv.ts';
export { addWeighedNode } from './graph/ops/add-weighed.ts';
export { keyBiasNode } from './graph/ops/key-bias.ts';
export { ropeKvNode } from './graph/ops/rope-kv.ts';
export { sampleNodes } from './graph/ops/sample.ts';
