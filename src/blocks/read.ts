/** How experts' records are read from a checkpoint by a spec: as places in its tensors, without any bytes. */
import { isMoe, type ModelSpec, type MoeSpec } from '../models/spec.ts';
import type { Bank, ExpertKind, RecordSource } from './block.ts';
import type { Blocks } from './table.ts';

/** A layer with routed experts, and what its blocks tell of it. */
export interface ExpertLayer {
  readonly spec: MoeSpec;
  readonly kind: ExpertKind;
  readonly bank: Bank;
  readonly most: number; // experts of one token at most
  readonly grid: number | undefined; // the side of their square
  /** Records of the layer, where one expert takes so many bytes. */
  units(expertBytes: number): number;
  /** Where the matrices of a record stand, where the layer has so many. */
  parts(units: number, unit: number): Readonly<Record<string, RecordSource>>;
}

/** The layers with routed experts, in the order in which a step needs them. */
export function expertLayers(
  { layers, hidden }: Pick<ModelSpec, 'layers' | 'hidden'>,
  blocks: Blocks,
): ExpertLayer[] {
  const moes = layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block)).filter(isMoe);
  return moes.map((spec) => {
    const kind = blocks.expert(spec.expert);
    const router = blocks.router(spec.router);
    const bank = { experts: spec.experts, hidden };
    return {
      spec,
      kind,
      bank,
      most: router.most(spec.router),
      grid: router.grid?.(spec.experts),
      units: (expertBytes) => kind.units(spec.expert, bank, expertBytes),
      parts: (units, unit) => kind.parts(spec.expert, bank, units, unit),
    };
  });
}

/** Every matrix of every expert by its name, in as few pieces as there are: for looking at headers. */
export function* expertMatrices(layers: readonly ExpertLayer[]): Generator<[name: string, RecordSource]> {
  for (const layer of layers) {
    const units = layer.units(0);
    for (let unit = 0; unit < units; unit += 1) yield* Object.entries(layer.parts(units, unit));
  }
}
