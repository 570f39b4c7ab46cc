/**
 * Atomoe: Mixture-of-Experts language models on WebGPU. `createEngine` works in this thread, `createWorkerEngine` in a
 * worker of its own. The rest is what it takes to define a model family, a container, a kernel or a weight format from
 * outside; `atomoe/ops` has the ops of their graphs.
 */
export * from './engine/index.ts';
export { AtomoeError, type ErrorCode } from './errors.ts';
export { createWorkerEngine, type WorkerEngineOptions } from './worker/index.ts';

export {
  deleteModel,
  estimateStorage,
  listModels,
  persistStorage,
  type StoredModel,
} from './engine/load/stored-models.ts';

export type { GpuEntry, HostDevice } from './gpu/device.ts';
export type { FileSource, FolderSource, ReadOptions } from './io/source.ts';
export type {
  Checkpoint,
  LostTensor,
  ReadyRecords,
  TensorBytes,
  TensorInfo,
  TensorReadOptions,
} from './containers/checkpoint.ts';
export type { Container, ModelFolder } from './containers/container.ts';

export type { ConfigReader } from './models/config.ts';
export type * from './blocks/block.ts';
export type { ModelFamily } from './blocks/family.ts';
export type { GraphPurpose } from './blocks/purpose.ts';
export type { MoeSite, Routes, Site } from './blocks/site.ts';
export type { ExpertKindName } from './blocks/experts/index.ts';
export type { MixerName } from './blocks/mixers/index.ts';
export type { RouterName } from './blocks/routers/index.ts';
export type { Blocks, OwnBlocks } from './blocks/table.ts';
export type { ConfigFamily } from './models/family.ts';
export { builtInFamily } from './models/registry.ts';
export type * from './models/spec.ts';
export { buildDecoder } from './blocks/decoder.ts';

export { GraphBuilder } from './graph/builder.ts';
export {
  dispatch,
  type Dispatch,
  type Graph,
  type LowerContext,
  type ModelGraph,
  type ModelOutputs,
  type Node,
  type RouteOutputs,
  type RunContext,
  type Step,
} from './graph/node.ts';
export { defineOp, type OpDefinition } from './graph/op.ts';
export {
  nextOf,
  type Ref,
  type StateRewind,
  type Tensor,
  type TensorShape,
  type Weight,
} from './graph/tensor.ts';

export { featuresOf, foldGrid, gridPart, reducePart, scalarPrelude, type Scalar } from './kernels/common.ts';
export { cross, defineKernel, type Kernel, type Variant } from './kernels/kernel.ts';
export type { Part } from './gpu/program.ts';

export {
  defineFormat,
  type FormatShaders,
  type Plane,
  type Repack,
  type WeightFormat,
} from './weights/format.ts';
export type { ExpertPart, ExpertRows, TensorRows } from './weights/tensor-rows.ts';
export { registerFormat, type BuiltInFormat, type FormatName } from './weights/formats/index.ts';
export {
  registerStage,
  type ScoreName,
  type SelectName,
  type WeighName,
} from './kernels/routing/stages/index.ts';
export type {
  ScoreStage,
  SelectStage,
  Stage,
  StageParams,
  StageRole,
  WeighStage,
} from './kernels/routing/stages/stage.ts';
